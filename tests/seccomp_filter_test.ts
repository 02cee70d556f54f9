/**
 * paddock's compiler of seccomp profiles against libseccomp's: the same answer to every call, by fewer instructions.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { eachCall, INTERFACES } from "../lib/plan/seccomp/architectures.ts";
import { compileSeccomp } from "../lib/plan/seccomp/compile.ts";
import { defaultSeccomp } from "../lib/plan/seccomp/default_profile.ts";
import { type Call, runFilter } from "../lib/plan/seccomp/interpreter_example.ts";
import { DEFAULT_CAPABILITIES } from "../lib/spec/defaults.ts";
import type { Seccomp, SeccompArch } from "../lib/spec/config.ts";
import { askLibseccomp, type Layout } from "./support/libseccomp.ts";
import { requires } from "./support/requires.ts";

// libseccomp makes filters for the machine that it was built for.
const OWN: SeccompArch = Deno.build.arch === "x86_64" ? "SCMP_ARCH_X86_64" : "SCMP_ARCH_AARCH64";
const CAPABILITIES = DEFAULT_CAPABILITIES.map((name) => `CAP_${name.toUpperCase()}`);
const ENOSYS = 0x00050000 + 38;

/** Values that rules of the profiles below tell apart, on both sides of each bound, and in the upper half. */
const VALUES: readonly (number | bigint)[] = [
  ...Array(50).keys(),
  0x11,
  0x20000,
  0x20001,
  0x20008,
  0x10000000,
  0x10000011,
  0x3d0f00,
  0x40000000,
  0x7e020000,
  0x81ffffff,
  0xfffffffe,
  0xffffffff,
  0x100000000n,
  0x100000001n,
  0x10010000000n,
  0xffffffff00000000n,
  0xffffffffffffffffn,
];

/** Every call of an interface, and the numbers around them, with representative arguments. */
function* listCalls(arch: SeccompArch, beyond: number): Generator<Call> {
  const layout = INTERFACES[arch];
  for (let number = layout.base; number < beyond; number++) {
    for (const value of VALUES) yield { number, audit: layout.audit, args: [value] };
    yield { number, audit: layout.audit, args: [0, 0x10000000, 7, 0xffffffff, 1n << 40n, 3] };
  }
}

/** The number after the last one that a rule names: calls beyond it are answered by ENOSYS, as runc does. */
function endOf(profile: Seccomp, arch: SeccompArch): number {
  const named = new Set(profile.syscalls?.flatMap(({ names }) => names));
  let end = 0;
  eachCall(INTERFACES[arch], (name, number) => {
    if (named.has(name)) end = number + 1;
  });
  return end;
}

function compare(profile: Seccomp, layout: Layout): void {
  const reference = askLibseccomp(profile, layout);
  const ours = compileSeccomp(reference.profile, OWN);
  let count = 0;
  for (const arch of profile.architectures ?? [OWN]) {
    const end = endOf(reference.profile, arch);
    if (end === 0) continue;
    for (const call of listCalls(arch, end)) {
      const [one, other] = [runFilter(ours, call).value, runFilter(reference.program, call).value];
      const args = call.args?.map((value) => `0x${value.toString(16)}`).join(", ");
      if (one !== other) assertEquals(one, other, `${arch}: call ${call.number - INTERFACES[arch].base} of (${args})`);
      count++;
    }
    const refuses = profile.defaultAction === "SCMP_ACT_ERRNO";
    if (refuses) assertEquals(runFilter(ours, { number: end, audit: INTERFACES[arch].audit }).value, ENOSYS, arch);
  }
  assert(count > 100);
  for (const audit of [0, INTERFACES.SCMP_ARCH_S390X.audit]) {
    assertEquals(runFilter(ours, { number: 0, audit }).value, runFilter(reference.program, { number: 0, audit }).value);
  }
}

function test(name: string, fn: () => void): void {
  Deno.test({ name: `seccomp filter: ${name}`, ...requires("tool:scmp_sys_resolver"), fn });
}

const MORE_CAPABILITIES: readonly (readonly string[])[] = [
  CAPABILITIES,
  [],
  [...CAPABILITIES, "CAP_SYS_ADMIN"],
  ["CAP_SYS_PTRACE", "CAP_SYS_MODULE", "CAP_SYS_TIME", "CAP_SYS_RAWIO", "CAP_SYS_NICE", "CAP_BPF", "CAP_PERFMON"],
];

for (const capabilities of MORE_CAPABILITIES) {
  test(`the default decides as libseccomp's does: ${capabilities.length} capabilities`, () => {
    compare(defaultSeccomp(Deno.build.arch, capabilities), "tree");
  });
}

const condition = (index: number, op: string, value: number | bigint, valueTwo?: number | bigint) =>
  ({ index, op, value, ...(valueTwo === undefined ? {} : { valueTwo }) }) as NonNullable<
    NonNullable<Seccomp["syscalls"]>[number]["args"]
  >[number];

const PROFILES: Readonly<Record<string, Seccomp>> = {
  "all but some": {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [
      { names: ["mount", "socket", "shmget", "nonsense"], action: "SCMP_ACT_ERRNO", errnoRet: 13 },
      { names: ["reboot"], action: "SCMP_ACT_KILL_PROCESS" },
      { names: ["getpid"], action: "SCMP_ACT_TRACE", errnoRet: 77 },
      { names: ["getppid"], action: "SCMP_ACT_TRAP" },
      { names: ["uname"], action: "SCMP_ACT_LOG" },
    ],
  },
  "every operator": {
    defaultAction: "SCMP_ACT_ERRNO",
    syscalls: [
      { names: ["read"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_NE", 3)] },
      { names: ["write"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_LT", 0x100000001)] },
      { names: ["close"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_LE", 20)] },
      { names: ["dup"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_EQ", 0xffffffffffffffffn)] },
      { names: ["fsync"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_GE", 0x100000000)] },
      { names: ["lseek"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_GT", 0xffffffff)] },
      { names: ["fcntl"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_MASKED_EQ", 0x0f, 1)] },
      { names: ["flock"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_MASKED_EQ", 0x0f, 0x11)] },
      { names: ["ftruncate"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_MASKED_EQ", 0, 0)] },
      {
        names: ["ioctl"],
        action: "SCMP_ACT_ALLOW",
        args: [condition(0, "SCMP_CMP_MASKED_EQ", 0xffffffff00000001n, 0x100000001n)],
      },
      {
        names: ["openat"],
        action: "SCMP_ACT_ALLOW",
        args: [condition(0, "SCMP_CMP_GT", 10), condition(1, "SCMP_CMP_EQ", 0)],
      },
      { names: ["mmap"], action: "SCMP_ACT_ALLOW", args: [condition(5, "SCMP_CMP_EQ", 3)] },
    ],
  },
  "several rules for one call": {
    defaultAction: "SCMP_ACT_KILL",
    syscalls: [
      { names: ["read"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_EQ", 3)] },
      { names: ["read"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_EQ", 5)] },
      { names: ["read"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_EQ", 0x100000000)] },
      { names: ["write"], action: "SCMP_ACT_ERRNO", errnoRet: 5, args: [condition(0, "SCMP_CMP_EQ", 3)] },
      { names: ["write"], action: "SCMP_ACT_ALLOW" },
      { names: ["close"], action: "SCMP_ACT_ALLOW", args: [condition(0, "SCMP_CMP_EQ", 3)] },
      { names: ["close"], action: "SCMP_ACT_ALLOW", args: [condition(1, "SCMP_CMP_EQ", 0x10000000)] },
    ],
  },
};

for (const [name, profile] of Object.entries(PROFILES)) {
  const architectures = defaultSeccomp(Deno.build.arch, []).architectures!;
  test(`decides as libseccomp's does: ${name}`, () => compare({ ...profile, architectures }, "list"));
  test(`decides as libseccomp's does, for one interface: ${name}`, () => compare(profile, "list"));
}

/** The mean and the most over all calls that are allowed. */
function measure(program: Uint8Array, calls: readonly Call[]): { mean: number; most: number } {
  const counts = calls.map((call) => runFilter(program, call).instructions);
  return { mean: counts.reduce((sum, count) => sum + count, 0) / counts.length, most: Math.max(...counts) };
}

for (const layout of ["list", "tree"] as const) {
  test(`the default runs fewer instructions than libseccomp's ${layout}`, () => {
    const reference = askLibseccomp(defaultSeccomp(Deno.build.arch, CAPABILITIES), layout);
    const ours = compileSeccomp(reference.profile, OWN);
    for (const arch of reference.profile.architectures!) {
      const calls = [...listCalls(arch, endOf(reference.profile, arch))];
      const [one, other] = [measure(ours, calls), measure(reference.program, calls)];
      const show = ({ mean, most }: typeof one) => `${mean.toFixed(1)} in the mean, ${most} at most`;
      console.log(`${arch}: ${show(one)}; libseccomp ${show(other)} (${reference.program.length / 8} instructions)`);
      assert(one.mean < other.mean && one.most < other.most, arch);
    }
  });
}
