import { assertEquals } from "@std/assert";
import type { Config, Seccomp, SeccompRule } from "./config.ts";
import { writeConfigText } from "./config_text.ts";
import { parseConfigText } from "./parse.ts";
import { validateConfig } from "./validate.ts";

function withSeccomp(seccomp: Partial<Seccomp>): Config {
  return {
    ociVersion: "1.3.0",
    process: { cwd: "/", env: [], args: ["sh"], user: { uid: 0, gid: 0 } },
    root: { path: "/rootfs" },
    mounts: [],
    annotations: {},
    linux: { namespaces: [{ type: "mount" }], seccomp: { defaultAction: "SCMP_ACT_ALLOW", ...seccomp } },
  };
}

const RULE: SeccompRule = { names: ["read"], action: "SCMP_ACT_ERRNO" };

Deno.test("validateConfig finds nothing wrong with a profile", () => {
  const args: SeccompRule["args"] = [
    { index: 5, value: 0xffffffffffffffffn, op: "SCMP_CMP_EQ" },
    { index: 0, value: 1, valueTwo: 2, op: "SCMP_CMP_GT" },
    { index: 0, value: 1, valueTwo: 1, op: "SCMP_CMP_MASKED_EQ" },
  ];
  assertEquals(validateConfig(withSeccomp({ syscalls: [{ ...RULE, errnoRet: 38, args }] })), []);
  const notify: SeccompRule = { names: ["mount"], action: "SCMP_ACT_NOTIFY" };
  assertEquals(
    validateConfig(withSeccomp({ syscalls: [notify], listenerPath: "/run/agent", listenerMetadata: "x" })),
    [],
  );
});

Deno.test("validateConfig names the path of each value of a profile that cannot be", () => {
  const table: [Partial<Seccomp>, string][] = [
    [{ defaultErrnoRet: 1 }, "linux.seccomp.defaultErrnoRet"],
    [{ defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 4096 }, "linux.seccomp.defaultErrnoRet"],
    [{ defaultAction: "SCMP_ACT_NOTIFY", listenerPath: "/a" }, "linux.seccomp.defaultAction"],
    [{ syscalls: [RULE, { ...RULE, names: [] }] }, "linux.seccomp.syscalls[1].names"],
    [{ syscalls: [{ ...RULE, errnoRet: -1 }] }, "linux.seccomp.syscalls[0].errnoRet"],
    [{ syscalls: [{ ...RULE, action: "SCMP_ACT_KILL", errnoRet: 1 }] }, "linux.seccomp.syscalls[0].errnoRet"],
    [{ syscalls: [{ ...RULE, action: "SCMP_ACT_TRACE", errnoRet: 65536 }] }, "linux.seccomp.syscalls[0].errnoRet"],
    [
      { syscalls: [{ ...RULE, args: [{ index: 6, value: 0, op: "SCMP_CMP_EQ" }] }] },
      "linux.seccomp.syscalls[0].args[0].index",
    ],
    [{ syscalls: [{ ...RULE, action: "SCMP_ACT_NOTIFY" }] }, "linux.seccomp.syscalls[0].action"],
    [{ listenerPath: "agent" }, "linux.seccomp.listenerPath"],
    [{ listenerMetadata: "x" }, "linux.seccomp.listenerMetadata"],
  ];
  for (const [seccomp, path] of table) {
    assertEquals(validateConfig(withSeccomp(seccomp)).map((found) => found.path), [path]);
  }
});

Deno.test("a profile is the same after it was written and read, to the last of 64 bits", () => {
  const config = withSeccomp({
    defaultAction: "SCMP_ACT_TRACE",
    defaultErrnoRet: 2,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_LOONGARCH64"],
    flags: ["SECCOMP_FILTER_FLAG_LOG"],
    listenerPath: "/run/agent",
    listenerMetadata: "m",
    syscalls: [{
      ...RULE,
      errnoRet: 5,
      args: [{ index: 1, value: 0xfffffffffffffffen, valueTwo: 3, op: "SCMP_CMP_MASKED_EQ" }],
    }],
  });
  assertEquals(parseConfigText(writeConfigText(config)), config);
});
