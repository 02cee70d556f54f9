/**
 * Launchers for aarch64, under emulation: the machine code, the numbers of its calls, and a whole container's table.
 *
 * qemu emulates a clone that shares memory as a fork, so what a child writes its launcher does not see there; what can
 * be had is tested.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { exampleCgroupV1, exampleFacts } from "../lib/host/facts_example.ts";
import { planContainer } from "../lib/plan/build.ts";
import { exampleConfig, exampleSetting } from "../lib/plan/config_example.ts";
import { planReport } from "../lib/plan/ending.ts";
import { assemble } from "../lib/program/assemble.ts";
import { decodeProgram } from "../lib/program/decode.ts";
import { DATA_OFFSET, HEADER_SIZE, OPERATION_BIT, STEP, stepSize } from "../lib/program/interpreter.ts";
import { BUILT_IN } from "../lib/program/layout.ts";
import { exampleAct, examplePlan } from "../lib/program/plan_example.ts";
import { AT_FDCWD, flags, previous, result, type Step, step, text } from "../lib/program/step.ts";
import type { Outcome } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";
import {
  ARITHMETIC,
  COMPARISONS,
  expectResult,
  runPlan,
  runSteps,
  SHOW_STACK,
  type SmallLauncher,
  words,
} from "./support/small_launcher.ts";

const ARCH = "aarch64";
const emulated = Deno.build.arch === ARCH ? { ignore: false } : requires("tool:qemu-aarch64");

async function run(steps: readonly Step[], options: SmallLauncher = {}): Promise<Outcome> {
  return await runSteps(steps, { ...options, arch: ARCH });
}

for (const [operation, a, b, expected] of ARITHMETIC) {
  Deno.test({
    name: `on aarch64 a launcher's ${operation} of ${a} and ${b} is ${expected}`,
    ...emulated,
    fn: async () => {
      const { code, signal } = await run([step(operation, [a, b]), ...expectResult(expected)]);
      assertEquals([code, signal], [0, null]);
    },
  });
}

Deno.test({
  name: "on aarch64 a launcher's @store and @load reach the 64 bits at an address and an offset",
  ...emulated,
  fn: async () => {
    const { code } = await run([
      step("@store", [{ region: "memory", offset: 8 }, -7]),
      step("@sub", [previous(), -7], { onNegative: "bad", onPositive: "bad" }),
      step("@load", [{ region: "memory" }, 8]),
      step("@sub", [previous(), { load: "memory", offset: 8 }], { onNegative: "bad", onPositive: "bad" }),
      step("@load", [{ region: "large" }, 99_992]),
      step("@load", [{ region: "memory", offset: 16 }, -8]),
      ...expectResult(-7),
    ], { regions: { memory: { size: 24 }, large: { size: 100_000 } } });
    assertEquals(code, 0);
  },
});

Deno.test({
  name: "on aarch64 a launcher's @digits writes a number with leading zeros, and no byte more",
  ...emulated,
  fn: async () => {
    const filled = { size: 16, fields: [{ at: 0, bytes: new TextEncoder().encode("[]]]]]]]]]]]]]]]") }] };
    for (const [value, count, expected] of [[0, 1, "0"], [7, 3, "007"], [4194304, 7, "4194304"]] as const) {
      const { stdout, code } = await run([
        step("@digits", [value, { region: "out", offset: 1 }, count]),
        step("write", [1, { region: "out" }, count + 2]),
        step("@add", [0, 0], { onZero: "good" }),
      ], { regions: { out: filled } });
      assertEquals([stdout, code], [`[${expected}]`, 0]);
    }
  },
});

Deno.test({
  name: "on aarch64 a launcher's @same compares bytes, and @stack is where its environment is",
  ...emulated,
  fn: async () => {
    for (const [one, other, count, expected] of COMPARISONS) {
      const { code } = await run([step("@same", [text(one), text(other), count]), ...expectResult(expected)]);
      assertEquals(code, 0, `${one} ${other} ${count}`);
    }
    const { stdout, code } = await run(SHOW_STACK, { env: { NAME: "x" } });
    assertEquals([stdout.slice(1), code], ["NAME=x", 0]);
  },
});

Deno.test({
  name: "on aarch64 a launcher branches, loops, and knows where it came from",
  ...emulated,
  fn: async () => {
    for (const [value, code] of [[-5, 11], [0, 12], [5, 13]] as const) {
      const outcome = await run([
        step("@add", [value, 0], { onNegative: "below", onZero: "zero", onPositive: "above" }),
        step("exit_group", [11], { label: "below" }),
        step("exit_group", [12], { label: "zero" }),
        step("exit_group", [13], { label: "above" }),
      ]);
      assertEquals(outcome.code, code);
    }
    const looped = await run([
      step("@add", [{ load: "sum" }, 3], { label: "loop" }),
      step("@store", [{ region: "sum" }, previous()]),
      step("@sub", [previous(), 60], { onNegative: "loop", onZero: "look", label: "last" }),
      step("exit_group", [50], { label: "wrong" }),
      step("@origin", [], { label: "look" }),
      step("@sub", [previous(), { step: "last" }], { onZero: "good", onNegative: "wrong", onPositive: "wrong" }),
    ], { regions: { sum: { size: 8 } } });
    assertEquals(looped.code, 0);
  },
});

Deno.test({
  name: "on aarch64 a launcher passes all six arguments of a call, constant and looked up",
  ...emulated,
  fn: async () => {
    const values = { at: 0x30000000n, size: 4096, prot: 3, how: 0x100022, fd: -1, off: 0 };
    const regions = Object.fromEntries(
      Object.entries(values).map(([name, value]) => [name, { size: 8, fields: [{ at: 0, size: 8, value }] } as const]),
    );
    const { code } = await run([
      step("mmap", Object.keys(values).map((load) => ({ load }))),
      step("@sub", [previous(), values.at], { onNegative: "bad", onPositive: "bad" }),
      step("@store", [values.at, 5]),
      step("@load", [values.at, 0]),
      ...expectResult(5),
    ], { regions });
    assertEquals(code, 0);
  },
});

Deno.test({
  name: "on aarch64 a launcher starts a command and waits for its end",
  ...emulated,
  fn: async () => {
    const { code, stdout } = await run([
      step("clone", [flags("CLONE_VM", "CLONE_VFORK", "SIGCHLD"), 0, 0, 0, 0], {
        label: "clone",
        onPositive: "parent",
      }),
      step("execve", [text("/bin/sh"), words("sh", "-c", "echo from the child; exit 7"), words("PATH=/bin")]),
      step("wait4", [result("clone"), { region: "status" }, 0, 0], { label: "parent" }),
      step("@sub", [previous(), result("clone")], { onNegative: "bad", onPositive: "bad" }),
      step("@shr", [{ load: "status" }, 8]),
      step("exit_group", [previous()]),
    ], { regions: { status: { size: 8 } } });
    assertEquals([code, stdout], [7, "from the child\n"]);
  },
});

Deno.test({
  name: "on aarch64 a launcher that stands alone says in one line what failed",
  ...emulated,
  fn: async () => {
    const acts = [
      exampleAct(
        "open the gate",
        // O_DIRECTORY is another bit here: with x86_64's this would succeed on a file.
        step("openat", [AT_FDCWD, text("/proc/version"), flags("O_RDONLY", "O_DIRECTORY")]),
        step("exit_group", [0]),
      ),
      exampleAct(
        "note",
        step("@origin", [], { label: "fault" }),
        step("@store", [{ region: BUILT_IN.fault }, previous()]),
      ),
      planReport("box"),
      exampleAct("end", step("exit_group", [77])),
    ];
    const { stderr, code } = await runPlan(examplePlan(acts, { arch: ARCH, fault: "fault" }));
    assertEquals([stderr, code], ["paddock: box: cannot open the gate: ENOTDIR: not a directory\n", 77]);
  },
});

/** Numbers from the kernel's `asm-generic/unistd.h`, written out by hand once more. */
const NUMBERS: Readonly<Record<string, number>> = {
  mkdirat: 34,
  umount2: 39,
  mount: 40,
  pivot_root: 41,
  chdir: 49,
  fchdir: 50,
  openat: 56,
  close: 57,
  write: 64,
  exit_group: 94,
  rt_sigtimedwait: 137,
  rt_sigprocmask: 135,
  setresuid: 147,
  setgroups: 159,
  sethostname: 161,
  prctl: 167,
  capset: 91,
  clone: 220,
  execve: 221,
  wait4: 260,
  prlimit64: 261,
  open_tree: 428,
  move_mount: 429,
  close_range: 436,
  openat2: 437,
};

Deno.test("a whole container's table for aarch64 has aarch64's numbers in every row", () => {
  for (const cgroup of [undefined, exampleCgroupV1()]) {
    const facts = exampleFacts({ arch: ARCH, ...(cgroup === undefined ? {} : { cgroup }) });
    const file = assemble(planContainer(exampleConfig(), facts, exampleSetting({ files: { "/etc/hosts": "x" } })));
    const program = decodeProgram(file);
    const view = new DataView(file.buffer, DATA_OFFSET);
    const seen = new Set<string>();
    let at = HEADER_SIZE;
    for (const { call, args, targets } of program.steps) {
      const number = view.getUint16(at + STEP.number, true);
      if (call in NUMBERS) assertEquals(number, NUMBERS[call], call);
      assertEquals((number & OPERATION_BIT) !== 0, call.startsWith("@"), call);
      for (const target of targets) assert(target <= program.steps.length);
      seen.add(call);
      at += stepSize(args.length);
    }
    assertEquals(program.arch, ARCH);
    for (const call of ["clone", "pivot_root", "execve", "capset", "mount"]) assert(seen.has(call), call);
  }
});

Deno.test("the flags of a container's opens are aarch64's own", () => {
  const file = assemble(planContainer(exampleConfig(), exampleFacts({ arch: ARCH }), exampleSetting()));
  const open = decodeProgram(file).steps.find(({ call, args }) =>
    call === "openat" && args[1]?.text === "/var/lib/paddock/containers/web/rootfs"
  );
  // O_PATH | O_DIRECTORY | O_CLOEXEC, with O_DIRECTORY from asm/fcntl.h of arm64.
  assertEquals(open?.args[2]?.value, 0o10000000n | 0o40000n | 0o2000000n);
});
