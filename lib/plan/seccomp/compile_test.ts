import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../../base/errors.ts";
import type { Seccomp, SeccompArch, SeccompArgument, SeccompRule, Word } from "../../spec/config.ts";
import { SECCOMP_ARCHITECTURES } from "../../spec/seccomp.ts";
import { INTERFACES, numberOfCall } from "./architectures.ts";
import { compileSeccomp } from "./compile.ts";
import { type Call, runFilter } from "./interpreter_example.ts";

const OWN: SeccompArch = "SCMP_ARCH_X86_64";
const ALLOW = 0x7fff0000;
const ERRNO = 0x00050000;
const EPERM = ERRNO + 1;
const ENOSYS = ERRNO + 38;
const KILL_THREAD = 0;

function profile(syscalls: readonly SeccompRule[], more: Partial<Seccomp> = {}): Seccomp {
  return { defaultAction: "SCMP_ACT_ERRNO", syscalls, ...more };
}

const allow = (names: string, ...args: readonly SeccompArgument[]): SeccompRule => ({
  names: names.split(" "),
  action: "SCMP_ACT_ALLOW",
  args,
});

const condition = (index: number, op: SeccompArgument["op"], value: Word, valueTwo: Word = 0): SeccompArgument => ({
  index,
  op,
  value,
  valueTwo,
});

/** What the filter of a profile answers to a call by its name. */
function ask(filter: Seccomp, name: string, args: readonly Word[] = [], arch: SeccompArch = OWN, own = OWN): number {
  const { audit, bigEndian } = INTERFACES[arch];
  return runFilter(compileSeccomp(filter, own), { number: numberOfCall(arch, name)!, audit, args, bigEndian }).value;
}

Deno.test("compileSeccomp answers what a rule says, and the default where none does", () => {
  const filter = profile([
    allow("read write"),
    { names: ["mount"], action: "SCMP_ACT_ERRNO", errnoRet: 13 },
    { names: ["reboot"], action: "SCMP_ACT_KILL" },
    { names: ["kexec_load"], action: "SCMP_ACT_KILL_PROCESS" },
    { names: ["getpid"], action: "SCMP_ACT_TRAP" },
    { names: ["getppid"], action: "SCMP_ACT_TRACE", errnoRet: 7 },
    { names: ["uname"], action: "SCMP_ACT_LOG" },
    { names: ["ptrace"], action: "SCMP_ACT_NOTIFY" },
    allow("statx"),
  ]);
  const answers: Readonly<Record<string, number>> = {
    read: ALLOW,
    write: ALLOW,
    open: EPERM,
    mount: ERRNO + 13,
    reboot: 0,
    kexec_load: 0x80000000,
    getpid: 0x00030000,
    getppid: 0x7ff00007,
    uname: 0x7ffc0000,
    ptrace: 0x7fc00000,
  };
  for (const [name, value] of Object.entries(answers)) assertEquals(ask(filter, name), value, name);
});

Deno.test("compileSeccomp takes the default's error from defaultErrnoRet", () => {
  const filter = profile([allow("read statx")], { defaultErrnoRet: 99 });
  assertEquals(ask(filter, "open"), ERRNO + 99);
});

interface Comparison {
  readonly with: SeccompArgument;
  readonly holds: readonly Word[];
  readonly fails: readonly Word[];
}

const ALL = 0xffffffffffffffffn;

const COMPARISONS: readonly Comparison[] = [
  { with: condition(0, "SCMP_CMP_EQ", 5), holds: [5], fails: [4, 6, 0x100000005n] },
  { with: condition(0, "SCMP_CMP_EQ", ALL), holds: [ALL], fails: [0xffffffff, 0, ALL - 1n] },
  { with: condition(0, "SCMP_CMP_NE", 5), holds: [4, 0x100000005n], fails: [5] },
  { with: condition(0, "SCMP_CMP_LT", 5), holds: [0, 4], fails: [5, 0x100000000n, ALL] },
  { with: condition(0, "SCMP_CMP_LE", 5), holds: [0, 5], fails: [6, 0x100000000n] },
  { with: condition(0, "SCMP_CMP_GT", 5), holds: [6, 0x100000000n, ALL], fails: [0, 5] },
  { with: condition(0, "SCMP_CMP_GE", 5), holds: [5, 0x100000000n], fails: [0, 4] },
  { with: condition(0, "SCMP_CMP_LT", 0x200000005n), holds: [0xffffffff, 0x200000004n], fails: [0x200000005n, ALL] },
  { with: condition(0, "SCMP_CMP_GE", 0x200000005n), holds: [0x200000005n, 0x300000000n], fails: [6, 0x200000004n] },
  { with: condition(0, "SCMP_CMP_MASKED_EQ", 0x0f, 1), holds: [1, 0x11, 0x100000001n], fails: [0, 3] },
  { with: condition(0, "SCMP_CMP_MASKED_EQ", 0x7e020000, 0), holds: [0, 0x11, 0x100000000n], fails: [0x20000] },
  {
    with: condition(0, "SCMP_CMP_MASKED_EQ", 0xff00000000000001n, 0x0100000000000001n),
    holds: [0x0100000000000001n, 0x01ffffffffffffffn],
    fails: [1, 0x0100000000000000n],
  },
];

Deno.test("compileSeccomp compares all 64 bits, without a sign, with every operator", () => {
  for (const { with: compared, holds, fails } of COMPARISONS) {
    const filter = profile([allow("ioctl", compared), allow("statx")]);
    for (const value of holds) assertEquals(ask(filter, "ioctl", [value]), ALLOW, `${compared.op} ${value}`);
    for (const value of fails) assertEquals(ask(filter, "ioctl", [value]), EPERM, `${compared.op} ${value}`);
  }
});

Deno.test("compileSeccomp finds each of six arguments, in either order of bytes", () => {
  for (let index = 0; index < 6; index++) {
    const filter = profile([allow("mmap", condition(index, "SCMP_CMP_EQ", 0x700000009n)), allow("statx")]);
    const args = Array<Word>(6).fill(0).with(index, 0x700000009n);
    assertEquals(ask(filter, "mmap", args), ALLOW, `argument ${index}`);
    assertEquals(ask(filter, "mmap", Array(6).fill(9)), EPERM);
    assertEquals(ask(filter, "mmap", args, "SCMP_ARCH_PPC64", "SCMP_ARCH_PPC64"), ALLOW, `argument ${index}, ppc64`);
  }
});

Deno.test("compileSeccomp needs all conditions of a rule, but one of those about the same argument", () => {
  const both = profile([allow("mmap", condition(0, "SCMP_CMP_EQ", 1), condition(1, "SCMP_CMP_GT", 5)), allow("statx")]);
  assertEquals([[1, 6], [1, 5], [2, 6]].map((args) => ask(both, "mmap", args)), [ALLOW, EPERM, EPERM]);
  const either = profile([
    allow("mmap", condition(0, "SCMP_CMP_EQ", 1), condition(0, "SCMP_CMP_EQ", 2)),
    allow("statx"),
  ]);
  assertEquals([[1], [2], [3]].map((args) => ask(either, "mmap", args)), [ALLOW, ALLOW, EPERM]);
});

Deno.test("compileSeccomp takes any of several rules for one call", () => {
  const values = [1, 3, 4, 5, 900, 0xffffffff];
  const small = profile([
    ...values.map((value) => allow("socket", condition(0, "SCMP_CMP_EQ", value))),
    allow("statx"),
  ]);
  for (const value of [0, 1, 2, 3, 4, 5, 6, 899, 900, 901, 0xfffffffe, 0xffffffff, 0x100000001n]) {
    assertEquals(ask(small, "socket", [value]), values.includes(Number(value)) ? ALLOW : EPERM, `${value}`);
  }
  const large = profile([
    allow("socket", condition(0, "SCMP_CMP_EQ", 0x100000001n)),
    allow("socket", condition(1, "SCMP_CMP_LT", 4)),
    { names: ["socket"], action: "SCMP_ACT_TRAP", args: [condition(2, "SCMP_CMP_NE", 0)] },
    allow("statx"),
  ]);
  const answers = [[0x100000001n, 9], [1, 3], [1, 4], [1, 4, 1]].map((args) => ask(large, "socket", args));
  assertEquals(answers, [ALLOW, ALLOW, EPERM, 0x00030000]);
});

Deno.test("compileSeccomp lets a rule without conditions win, and the first of two", () => {
  const conditional: SeccompRule = { names: ["read"], action: "SCMP_ACT_TRAP", args: [condition(0, "SCMP_CMP_EQ", 1)] };
  for (const rules of [[conditional, allow("read")], [allow("read"), conditional]]) {
    assertEquals(ask(profile([...rules, allow("statx")]), "read", [1]), ALLOW);
  }
  const twice = profile([allow("read"), { names: ["read"], action: "SCMP_ACT_TRAP" }, allow("statx")]);
  assertEquals(ask(twice, "read"), ALLOW);
});

Deno.test("compileSeccomp passes over rules that say what holds anyway, and names that nobody knows", () => {
  const filter = profile([
    { names: ["read"], action: "SCMP_ACT_TRAP", args: [condition(0, "SCMP_CMP_EQ", 1)] },
    { names: ["read"], action: "SCMP_ACT_ERRNO" },
    allow("nonsense statx"),
  ]);
  assertEquals([ask(filter, "read", [1]), ask(filter, "read", [2])], [0x00030000, EPERM]);
});

Deno.test("compileSeccomp answers ENOSYS to calls that are newer than the profile, unless it permits what it does not know", () => {
  const next = { number: numberOfCall(OWN, "statx")! + 1, audit: INTERFACES[OWN].audit };
  const run = (filter: Seccomp, call: Call) => runFilter(compileSeccomp(filter, OWN), call).value;
  assertEquals(run(profile([allow("read statx")]), next), ENOSYS);
  assertEquals(run(profile([allow("read"), { names: ["statx"], action: "SCMP_ACT_ERRNO" }]), next), ENOSYS);
  assertEquals(run(profile([allow("read statx")], { defaultAction: "SCMP_ACT_KILL" }), next), ENOSYS);
  const open = profile([{ names: ["statx"], action: "SCMP_ACT_ERRNO" }], { defaultAction: "SCMP_ACT_ALLOW" });
  assertEquals(run(open, next), ALLOW);
  assertEquals(run(profile([]), next), EPERM);
});

Deno.test("compileSeccomp kills whoever calls by an interface that the profile does not have", () => {
  const filter = profile([allow("read statx")]);
  assertEquals(ask(filter, "read", [], "SCMP_ARCH_X86"), KILL_THREAD);
  assertEquals(ask(filter, "read", [], "SCMP_ARCH_X32"), KILL_THREAD);
  const other = profile([allow("read statx")], { architectures: ["SCMP_ARCH_X86", "SCMP_ARCH_X32"] });
  assertEquals(ask(other, "read", [], "SCMP_ARCH_X86"), ALLOW);
  assertEquals(ask(other, "open", [], "SCMP_ARCH_X32"), EPERM);
  assertEquals(ask(other, "read", [], "SCMP_ARCH_X32"), ALLOW);
  // Its own is filtered though the profile does not list it.
  assertEquals(ask(other, "read"), ALLOW);
});

Deno.test("compileSeccomp knows that 32-bit programs have other numbers, and calls within calls", () => {
  const filter = profile([
    { names: ["socket"], action: "SCMP_ACT_ERRNO", errnoRet: 97 },
    { names: ["shmget"], action: "SCMP_ACT_ERRNO", errnoRet: 12 },
  ], { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86"] });
  const SYS_SOCKET = 1;
  const SHMGET = 23;
  assertEquals(ask(filter, "socket", [], "SCMP_ARCH_X86"), ERRNO + 97);
  assertEquals(ask(filter, "socketcall", [SYS_SOCKET], "SCMP_ARCH_X86"), ERRNO + 97);
  assertEquals(ask(filter, "socketcall", [2], "SCMP_ARCH_X86"), ALLOW);
  assertEquals(ask(filter, "ipc", [SHMGET], "SCMP_ARCH_X86"), ERRNO + 12);
});

Deno.test("compileSeccomp has a filter for every architecture of the specification", () => {
  for (const arch of SECCOMP_ARCHITECTURES) {
    if (arch === "SCMP_ARCH_X32") continue;
    const filter = profile([allow("read"), allow("write", condition(0, "SCMP_CMP_EQ", 2)), allow("statx")]);
    assertEquals(ask(filter, "read", [], arch, arch), ALLOW, arch);
    assertEquals([2, 3].map((value) => ask(filter, "write", [value], arch, arch)), [ALLOW, EPERM], arch);
    assertEquals(ask(filter, "close", [], arch, arch), EPERM, arch);
  }
});

Deno.test("compileSeccomp reaches every call of a large profile, however far its answer lies", () => {
  const names = ["read", "write", "close", "mmap", "ioctl", "openat", "statx"];
  // Alternatives about two arguments cannot become a tree: each call has a hundred comparisons of its own.
  const rules = names.flatMap((name) =>
    Array.from(
      { length: 60 },
      (_, value) => allow(name, condition(0, "SCMP_CMP_EQ", value), condition(1, "SCMP_CMP_EQ", value)),
    )
  );
  const filter = profile(rules);
  for (const name of names) {
    for (const value of [0, 30, 59]) assertEquals(ask(filter, name, [value, value]), ALLOW, `${name} ${value}`);
    assertEquals(ask(filter, name, [60, 60]), EPERM);
    assertEquals(ask(filter, name, [5, 6]), EPERM);
  }
  assertEquals(ask(filter, "open"), EPERM);
  const program = compileSeccomp(filter, OWN);
  assert(program.length / 8 > 1000);
});

Deno.test("compileSeccomp refuses what is more than the kernel takes", () => {
  const rules = Array.from(
    { length: 2000 },
    (_, value) => allow("ioctl", condition(0, "SCMP_CMP_EQ", value), condition(1, "SCMP_CMP_EQ", value)),
  );
  assertThrows(() => compileSeccomp(profile(rules), OWN), PaddockError, "the kernel takes 4096");
});
