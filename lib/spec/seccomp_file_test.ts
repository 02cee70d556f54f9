import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import type { Seccomp } from "./config.ts";
import { parseSeccompFile, type SeccompCircumstances } from "./seccomp_file.ts";

const HERE: SeccompCircumstances = { arch: "x86_64", kernel: [5, 10, 3], capabilities: ["CAP_CHOWN", "CAP_BPF"] };

function parse(file: Record<string, unknown>, more: Partial<SeccompCircumstances> = {}): Seccomp {
  return parseSeccompFile(JSON.stringify({ defaultAction: "SCMP_ACT_ERRNO", ...file }), { ...HERE, ...more });
}

/** The names of the rules that are left. */
function names(conditions: Record<string, unknown>, more: Partial<SeccompCircumstances> = {}): string[] {
  const rule = { names: ["bpf"], action: "SCMP_ACT_ALLOW", ...conditions };
  return parse({ syscalls: [rule] }, more).syscalls!.flatMap(({ names }) => names);
}

Deno.test("parseSeccompFile takes a profile of the specification as it is", () => {
  const file = {
    defaultErrnoRet: 38,
    architectures: ["SCMP_ARCH_X86_64"],
    flags: ["SECCOMP_FILTER_FLAG_LOG"],
    syscalls: [{
      names: ["read"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: 1, valueTwo: 2, op: "SCMP_CMP_MASKED_EQ" }],
    }],
  };
  assertEquals(parse(file), { defaultAction: "SCMP_ACT_ERRNO", ...file } as Seccomp);
});

Deno.test("parseSeccompFile keeps 64 bits exact", () => {
  const text = `{ "defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{ "names": ["read"], "action": "SCMP_ACT_LOG", "args":
    [{ "index": 0, "op": "SCMP_CMP_EQ", "value": 18446744073709551615 }] }] }`;
  assertEquals(parseSeccompFile(text, HERE).syscalls![0]!.args![0]!.value, 0xffffffffffffffffn);
});

Deno.test("parseSeccompFile chooses this machine's architectures from docker's map", () => {
  const archMap = [
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] },
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: null },
  ];
  assertEquals(parse({ archMap }).architectures, ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]);
  assertEquals(parse({ archMap }, { arch: "aarch64" }).architectures, ["SCMP_ARCH_AARCH64"]);
  assertEquals(parse({ archMap: [] }).architectures, undefined);
  assertThrows(() => parse({ archMap, architectures: ["SCMP_ARCH_X86"] }), PaddockError, "archMap: ");
});

Deno.test("parseSeccompFile drops rules by machine, capabilities and kernel, as docker does", () => {
  assertEquals(names({}), ["bpf"]);
  assertEquals(names({ includes: { arches: ["amd64", "x32"] } }), ["bpf"]);
  assertEquals(names({ includes: { arches: ["arm64"] } }), []);
  assertEquals(names({ excludes: { arches: ["arm64"] } }, { arch: "aarch64" }), []);
  assertEquals(names({ includes: { caps: ["CAP_BPF"] } }), ["bpf"]);
  assertEquals(names({ includes: { caps: ["CAP_BPF", "CAP_SYS_ADMIN"] } }), []);
  assertEquals(names({ excludes: { caps: ["CAP_SYS_ADMIN", "CAP_BPF"] } }), []);
  assertEquals(names({ includes: { minKernel: "5.10" } }), ["bpf"]);
  assertEquals(names({ includes: { minKernel: "5.11" } }), []);
  assertEquals(names({ excludes: { minKernel: "4.8" } }), []);
  assertEquals(names({ includes: {}, excludes: {} }), ["bpf"]);
});

Deno.test("parseSeccompFile knows the old form with one name, and not both", () => {
  assertEquals(names({ names: null, name: "old" }), ["old"]);
  assertThrows(() => names({ name: "old" }), PaddockError, "syscalls[0]: has both name and names");
});

Deno.test("parseSeccompFile names what cannot be", () => {
  assertThrows(() => parse({ defaultAction: "ALLOW" }), PaddockError, "defaultAction: needs one of");
  assertThrows(() => names({ action: "SCMP_ACT_NONE" }), PaddockError, "syscalls[0].action: needs one of");
  assertThrows(() => names({ includes: { minKernel: "new" } }), PaddockError, "syscalls[0].includes.minKernel: ");
  assertThrows(() => parseSeccompFile("{", HERE), PaddockError, "it is no JSON");
});
