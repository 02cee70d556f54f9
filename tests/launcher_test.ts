/**
 * A launcher is an ordinary executable: what the compiler makes runs, and does what its table says.
 *
 * @module
 */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { planReport } from "../lib/plan/ending.ts";
import { RUN_ID_DIGITS } from "../lib/plan/setting.ts";
import { assemble } from "../lib/program/assemble.ts";
import { BUILT_IN } from "../lib/program/layout.ts";
import { decodeData, decodeProgram, type Program } from "../lib/program/decode.ts";
import { CODE_OFFSET, interpreterCode, LISTING, TEXT_ADDRESS } from "../lib/program/interpreter.ts";
import { exampleAct, examplePlan } from "../lib/program/plan_example.ts";
import { type Arch, AT_FDCWD, flags, previous, result, step, text } from "../lib/program/step.ts";
import { busybox } from "./support/fixtures.ts";
import { call, Paddock, PADDOCK_COMMAND } from "./support/paddock.ts";
import { requires } from "./support/requires.ts";
import {
  ARITHMETIC,
  COMPARISONS,
  expectResult,
  runPlan,
  runSteps,
  SHOW_STACK,
  words,
  writeProgram,
} from "./support/small_launcher.ts";

const CLONE = flags("CLONE_VM", "CLONE_VFORK", "SIGCHLD");
const onLinux = { ignore: Deno.build.os !== "linux" };

for (const [operation, a, b, expected] of ARITHMETIC) {
  Deno.test({
    name: `a launcher's ${operation} of ${a} and ${b} is ${expected}`,
    ...onLinux,
    fn: async () => {
      const { code, signal } = await runSteps([step(operation, [a, b]), ...expectResult(expected)]);
      assertEquals([code, signal], [0, null]);
    },
  });
}

Deno.test({
  name: "a launcher's @store and @load reach the 64 bits at an address and an offset",
  ...onLinux,
  fn: async () => {
    const { code } = await runSteps([
      step("@store", [{ region: "memory", offset: 8 }, -7]),
      ...[step("@sub", [previous(), -7], { onNegative: "bad", onPositive: "bad" })],
      step("@load", [{ region: "memory" }, 8]),
      step("@sub", [previous(), { load: "memory", offset: 8 }], { onNegative: "bad", onPositive: "bad" }),
      step("@load", [{ region: "memory", offset: 16 }, -8]),
      ...expectResult(-7),
    ], { regions: { memory: { size: 24 } } });
    assertEquals(code, 0);
  },
});

Deno.test({
  name: "a launcher's memory holds what its regions say, and zero where they say nothing",
  ...onLinux,
  fn: async () => {
    const regions = {
      small: { size: 16, fields: [{ at: 8, size: 8, value: 41 }] },
      // Far behind the file, zeroed by the kernel.
      large: { size: 100_000 },
    } as const;
    const { code } = await runSteps([
      step("@load", [{ region: "large" }, 99_992]),
      step("@add", [previous(), { load: "small", offset: 8 }]),
      step("@store", [{ region: "large", offset: 99_992 }, previous()]),
      step("@load", [{ region: "large", offset: 99_000 }, 992]),
      ...expectResult(41),
    ], { regions });
    assertEquals(code, 0);
  },
});

Deno.test({
  name: "a launcher's @digits writes a number with leading zeros, and no byte more",
  ...onLinux,
  fn: async () => {
    for (
      const [value, count, expected] of [[0, 1, "0"], [7, 3, "007"], [4194304, 7, "4194304"], [1234, 2, "34"]] as const
    ) {
      const { stdout, code } = await runSteps([
        step("@digits", [value, { region: "out", offset: 1 }, count]),
        step("write", [1, { region: "out" }, count + 2]),
        step("@add", [0, 0], { onZero: "good" }),
      ], { regions: { out: { size: 16, fields: [{ at: 0, bytes: new TextEncoder().encode("[]]]]]]]]]]]]]]]") }] } } });
      assertEquals([stdout, code], [`[${expected}]`, 0]);
    }
  },
});

for (const [one, other, count, expected] of COMPARISONS) {
  Deno.test({
    name: `a launcher's @same of "${one}" and "${other}" is ${expected} for ${count} bytes`,
    ...onLinux,
    fn: async () => {
      const { code } = await runSteps([step("@same", [text(one), text(other), count]), ...expectResult(expected)]);
      assertEquals(code, 0);
    },
  });
}

Deno.test({
  name: "a launcher's @stack is where its words and its environment are",
  ...onLinux,
  fn: async () => {
    const { stdout, code } = await runSteps(SHOW_STACK, { env: { NAME: "x" } });
    assertEquals([stdout, code], ["/NAME=x", 0]);
  },
});

Deno.test({
  name: "a launcher branches by a result below zero, zero, and above",
  ...onLinux,
  fn: async () => {
    for (const [value, code] of [[-5, 11], [0, 12], [5, 13]] as const) {
      const outcome = await runSteps([
        step("@add", [value, 0], { onNegative: "below", onZero: "zero", onPositive: "above" }),
        step("exit_group", [11], { label: "below" }),
        step("exit_group", [12], { label: "zero" }),
        step("exit_group", [13], { label: "above" }),
      ]);
      assertEquals(outcome.code, code);
    }
  },
});

Deno.test({
  name: "a launcher loops: a jump back sees the results of the round before",
  ...onLinux,
  fn: async () => {
    const { code } = await runSteps([
      step("@add", [{ load: "sum" }, 3], { label: "loop" }),
      step("@store", [{ region: "sum" }, previous()]),
      step("@sub", [previous(), 60], { onNegative: "loop" }),
      step("exit_group", [{ load: "sum" }]),
    ], { regions: { sum: { size: 8 } } });
    assertEquals(code, 60);
  },
});

Deno.test({
  name: "a launcher's @origin tells which step led to it, from near and from far",
  ...onLinux,
  fn: async () => {
    const { code } = await runSteps([
      step("@add", [0, 0], { onZero: "look" }),
      step("exit_group", [50], { label: "wrong" }),
      step("@add", [1, 0], { label: "second", onPositive: "look" }),
      step("@origin", [], { label: "look" }),
      step("@sub", [previous(), { step: "second" }], { onZero: "good", onNegative: "second", onPositive: "wrong" }),
    ]);
    assertEquals(code, 0);
  },
});

Deno.test({
  name: "a launcher passes all six arguments of a call, constant and looked up",
  ...onLinux,
  fn: async () => {
    // mmap takes six; what comes back is readable memory at the hint, which shows that none got lost.
    const MAP = 0x100000 | 0x22; // MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS
    const at = 0x30000000n;
    const { code } = await runSteps([
      step("mmap", [{ load: "at" }, { load: "size" }, { load: "prot" }, { load: "how" }, { load: "fd" }, {
        load: "off",
      }]),
      step("@sub", [previous(), at], { onNegative: "bad", onPositive: "bad" }),
      step("@store", [at, 5]),
      step("@load", [at, 0]),
      ...expectResult(5),
    ], {
      regions: Object.fromEntries(
        Object.entries({ at, size: 4096, prot: 3, how: MAP, fd: -1, off: 0 }).map(([name, value]) => [
          name,
          { size: 8, fields: [{ at: 0, size: 8, value }] },
        ]),
      ),
    });
    assertEquals(code, 0);
  },
});

Deno.test({
  name: "a launcher reads and writes files and pipes: what it writes arrives as it is",
  ...onLinux,
  fn: async () => {
    const message = "grüße\u0000\n";
    const bytes = new TextEncoder().encode(message);
    const outcome = await runSteps([
      step("pipe2", [{ region: "ends" }, flags("O_CLOEXEC")]),
      step("@and", [{ load: "ends" }, 0xffffffff], { label: "reading" }),
      step("@shr", [{ load: "ends" }, 32]),
      step("write", [previous(), { block: { size: bytes.length, fields: [{ at: 0, bytes }] } }, bytes.length]),
      step("read", [result("reading"), { region: "copy" }, 64]),
      step("write", [1, { region: "copy" }, previous()], { onPositive: "good" }),
    ], { regions: { ends: { size: 8 }, copy: { size: 64 } } });
    assertEquals([outcome.stdout, outcome.code], [message, 0]);
  },
});

Deno.test({
  name: "a failed call leads to the section's handler, and the record names the step and the error",
  ...onLinux,
  fn: async () => {
    const acts = [
      exampleAct(
        "open the gate",
        step("openat", [AT_FDCWD, text("/nowhere/at/all"), 0]),
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
    const { stderr, code } = await runPlan(examplePlan(acts, { arch: Deno.build.arch, fault: "fault" }));
    assertEquals([stderr, code], ["paddock: box: cannot open the gate: ENOENT: no such file or directory\n", 77]);
  },
});

Deno.test({
  name: "a launcher's data, written out by itself, is a record that paddock reads",
  ...onLinux,
  fn: async () => {
    const directory = Deno.makeTempDirSync({ dir: "/var/tmp", prefix: "paddock-test-" });
    try {
      const acts = [
        exampleAct("try", step("openat", [AT_FDCWD, text("/nowhere"), 0])),
        exampleAct(
          "record",
          step("@origin", [], { label: "fault" }),
          step("@store", [{ region: BUILT_IN.fault }, previous()]),
          step("@store", [{ region: BUILT_IN.status }, 0x8b]),
          step("openat", [AT_FDCWD, text(`${directory}/outcome`), flags("O_WRONLY", "O_CREAT"), 0o600]),
          step("write", [previous(), { region: BUILT_IN.data }, { load: BUILT_IN.size }]),
          step("exit_group", [0]),
        ),
      ];
      const { code } = await runPlan(examplePlan(acts, { arch: Deno.build.arch, fault: "fault" }));
      assertEquals(code, 0);
      const record = decodeData(Deno.readFileSync(`${directory}/outcome`));
      assertEquals([record.fault?.call, record.fault?.result, record.fault?.what], ["openat", -2, "try"]);
      assertEquals(record.status, 0x8b);
    } finally {
      Deno.removeSync(directory, { recursive: true });
    }
  },
});

Deno.test({
  name: "a child shares the launcher's memory until its exec, and the launcher sleeps meanwhile",
  ...onLinux,
  fn: async () => {
    const { code, stdout } = await runSteps([
      step("clone", [CLONE, 0, 0, 0, 0], { label: "clone", onPositive: "parent" }),
      step("@store", [{ region: "memory" }, 33]),
      step("execve", [text("/bin/echo"), words("echo", "from the child"), 0]),
      // The store has happened before the parent goes on.
      step("@sub", [{ load: "memory" }, 33], { label: "parent", onNegative: "bad", onPositive: "bad" }),
      step("wait4", [result("clone"), { region: "status" }, 0, 0]),
      step("@sub", [previous(), result("clone")], { onNegative: "bad", onPositive: "bad" }),
      step("@add", [{ load: "status" }, 0], { onZero: "good", onPositive: "bad" }),
    ], { regions: { memory: { size: 8 }, status: { size: 8 } } });
    assertEquals([code, stdout], [0, "from the child\n"]);
  },
});

Deno.test({
  name: "a step of the child that fails is known to the launcher by its result",
  ...onLinux,
  fn: async () => {
    const { code } = await runSteps([
      step("clone", [CLONE, 0, 0, 0, 0], { label: "clone", onPositive: "parent" }),
      step("execve", [text("/nowhere"), words("nowhere"), 0], { label: "exec", onNegative: "next" }),
      step("exit_group", [5]),
      step("@add", [result("exec"), 2], { label: "parent", onNegative: "bad", onPositive: "bad" }),
      step("wait4", [result("clone"), { region: "status" }, 0, 0]),
      step("@sub", [{ load: "status" }, 5 << 8], { onZero: "good", onNegative: "bad", onPositive: "bad" }),
    ], { regions: { status: { size: 8 } } });
    assertEquals(code, 0);
  },
});

const EVERY_KIND = examplePlan([
  exampleAct("a", step("openat", [AT_FDCWD, text("/etc"), flags("O_PATH", "O_DIRECTORY")], { onNegative: "next" })),
  exampleAct("b", step("close", [3], { onNegative: "next" }), step("exit_group", [0])),
]);

for (const [arch, machine] of [["x86_64", "X86-64"], ["aarch64", "AArch64"]] as const) {
  Deno.test({
    name: `readelf finds nothing to complain of in a launcher for ${arch}`,
    ...requires("tool:readelf"),
    fn: async () => {
      using file = writeProgram(assemble({ ...EVERY_KIND, arch }));
      const { stdout, stderr, code } = await call(["readelf", "--headers", "--wide", file.path]);
      assertEquals([code, stderr], [0, ""]);
      assertStringIncludes(
        stdout,
        `Machine:                           ` + (arch === "x86_64" ? "Advanced Micro Devices X86-64" : machine),
      );
      assertStringIncludes(stdout, "EXEC (Executable file)");
      const loads = [...stdout.matchAll(/^ {2}LOAD .* (R[ W][ E]) +0x/gm)].map(([, how]) => how);
      assertEquals(loads, ["R E", "RW "]);
      assertEquals(/GNU_STACK.* RW /.test(stdout), true);
    },
  });
}

const DISASSEMBLERS: Readonly<Record<Arch, readonly string[]>> = {
  x86_64: ["objdump", "-D", "-b", "binary", "-m", "i386:x86-64", "-M", "intel"],
  aarch64: ["aarch64-linux-gnu-objdump", "-D", "-b", "binary", "-m", "aarch64"],
};

for (const arch of ["x86_64", "aarch64"] as const) {
  Deno.test({
    name: `the machine code for ${arch} is its listing, instruction by instruction`,
    ...requires(`tool:${DISASSEMBLERS[arch][0]}`),
    fn: async () => {
      using file = writeProgram(interpreterCode(arch), "code");
      const { stdout, code } = await call([...DISASSEMBLERS[arch], "--insn-width=16", file.path]);
      assertEquals(code, 0);
      const lines = stdout.split("\n").flatMap((line) => {
        const found = /^\s*([0-9a-f]+):\t([0-9a-f ]+?)\s*\t(.*)$/.exec(line);
        return found === null ? [] : [found[3]!];
      });
      assertEquals(lines.map(normalize), LISTING[arch].map(([, mnemonic]) => normalize(mnemonic)));
    },
  });
}

/** Without what objdump adds for people: a comment, the sign that a number is an address, spaces. */
function normalize(mnemonic: string): string {
  return mnemonic.replace(/\s*(\/\/|#(?!0x|\d)).*$/, "").replace(/\s*<.*>/, "").replace(/\s+/g, " ").trim();
}

Deno.test("the listing's jumps to operations begin where the first operation is", () => {
  const sizes = LISTING.x86_64.map(([bytes]) => bytes.split(" ").length);
  const add = LISTING.x86_64.findIndex(([, mnemonic]) => mnemonic === "lea rax,[rdi+rsi*1]");
  const at = TEXT_ADDRESS + CODE_OFFSET + sizes.slice(0, add).reduce((sum, size) => sum + size, 0);
  assert(LISTING.x86_64.some(([, mnemonic]) => mnemonic === `add eax,0x${at.toString(16)}`));
});

/** A compiled launcher of a container that runs this. */
async function compileContainer(
  paddock: Paddock,
  words: readonly string[],
  options: readonly string[] = [],
): Promise<string> {
  const path = `${paddock.work}/box`;
  const { dir } = await busybox();
  const { code, stderr } = await paddock.run(["compile", "-o", path, ...options, dir, ...words]);
  assertEquals(code, 0, stderr);
  return path;
}

/** One line of strace: which call, how it was written, and what it gave; undefined for a call that does not return. */
interface Traced {
  readonly call: string;
  readonly line: string;
  readonly result: number | undefined;
}

function readTrace(path: string): Traced[] {
  return Deno.readTextFileSync(path).split("\n").flatMap((line) => {
    const found = /^(\w+)\(.*\)\s+= (-?\d+|0x[0-9a-f]+|\?)/.exec(line);
    return found === null ? [] : [{ call: found[1]!, line, result: found[2] === "?" ? undefined : Number(found[2]) }];
  });
}

/**
 * Follows the table with what strace saw. Where an operation decides, all its ways are followed; where a call does, its
 * result says which. Gives the number of calls that fitted.
 */
function followTrace(program: Program, start: number, trace: readonly Traced[], pid: number): number {
  let places = reachCalls(program, [start]);
  trace.forEach(({ call, line, result }, index) => {
    const fitting = places.filter((place) => fits(program, place, call, line, pid));
    const expected = places.map((place) => program.steps[place]?.call).join(" or ");
    assert(fitting.length > 0, `call ${index} of ${pid}: expected ${expected}, saw ${line}`);
    const way = result === undefined ? 0 : result < 0 ? 0 : result === 0 ? 1 : 2;
    places = reachCalls(program, fitting.map((place) => program.steps[place]!.targets[way]));
  });
  return trace.length;
}

/** The calls that can come next, from these places, with any result of the operations between. */
function reachCalls(program: Program, from: readonly number[]): number[] {
  const seen = new Set<number>();
  const left = [...from];
  for (let place = left.pop(); place !== undefined; place = left.pop()) {
    if (seen.has(place)) continue;
    seen.add(place);
    const step = program.steps[place];
    if (step?.call.startsWith("@")) left.push(...step.targets);
  }
  return [...seen].filter((place) => program.steps[place]?.call.startsWith("@") === false);
}

function fits(program: Program, place: number, call: string, line: string, pid: number): boolean {
  const step = program.steps[place]!;
  if (step.call !== call) return false;
  const texts = step.args.flatMap(({ text }) => text === undefined || !/^[ -!#-[\]-~]+$/.test(text) ? [] : [text]);
  const digits = String(pid).padStart(RUN_ID_DIGITS.length, "0");
  // prctl shows names cut to what the kernel keeps of them.
  return call === "prctl" || texts.every((text) => line.includes(`"${text.replaceAll(RUN_ID_DIGITS, digits)}`));
}

Deno.test({
  name: "strace of a whole container sees the calls of its table, in their order, on both sides, and no others",
  ...requires("root", "overlay", "tool:strace"),
  fn: async () => {
    using paddock = new Paddock();
    const path = await compileContainer(paddock, ["true"]);
    const program = decodeProgram(Deno.readFileSync(path));
    const { code, stderr } = await call(["strace", "-ff", "-s", "8192", "-o", `${paddock.work}/trace`, path]);
    assertEquals(code, 0, stderr);
    const pids = [...Deno.readDirSync(paddock.work)].flatMap(({ name }) => /^trace\.(\d+)$/.exec(name)?.[1] ?? [])
      .map(Number).sort((a, b) => a - b);
    const traces = pids.map((pid) => readTrace(`${paddock.work}/trace.${pid}`));
    const launcher = traces.findIndex((trace) => trace.some(({ call }) => call === "clone"));
    const child = 1 - launcher;
    assertEquals([pids.length, launcher >= 0], [2, true]);
    // The first call is that of who executed it.
    const own = traces[launcher]!.slice(1);
    followTrace(program, 0, own, pids[launcher]!);
    assertEquals(own.at(-1)?.call, "exit_group");
    const clone = program.steps.find((step) => step.call === "clone")!;
    const untilExec = traces[child]!.findIndex(({ call, result }) => call === "execve" && result === 0);
    const count = followTrace(program, clone.targets[1], traces[child]!.slice(0, untilExec + 1), pids[launcher]!);
    assert(count > 80, `${count} calls`);
  },
});

/** Waits for something that another process does; a minute at most. */
async function waitFor<T>(what: string, look: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 3000; tries++) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((done) => setTimeout(done, 20));
  }
  throw new Error(`waited in vain for ${what}`);
}

function readOrNothing(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** Resident memory in kB of a process once its container runs the command; the process ends with the test. */
async function measureWatcher(process: Deno.ChildProcess): Promise<number> {
  try {
    const children = `/proc/${process.pid}/task/${process.pid}/children`;
    await waitFor("the command", () => {
      const [child] = readOrNothing(children).trim().split(" ");
      return readOrNothing(`/proc/${child}/cmdline`).startsWith("sleep\0") ? child : undefined;
    });
    // It sleeps in its loop when what it does after the start is done.
    await waitFor(
      "its loop",
      () => /rt_sigtimedwait|do_sigtimedwait/.test(readOrNothing(`/proc/${process.pid}/stack`)) ? true : undefined,
    );
    return Number(/^Rss:\s+(\d+) kB/m.exec(Deno.readTextFileSync(`/proc/${process.pid}/smaps_rollup`))?.[1]);
  } finally {
    process.kill("SIGKILL");
    await process.status;
  }
}

Deno.test({
  name: "a launcher that watches over a container has at most 40 kB of memory",
  ...requires("root", "overlay"),
  fn: async () => {
    using paddock = new Paddock();
    const path = await compileContainer(paddock, ["sleep", "1000"]);
    const compiled = new Deno.Command(path, { stdin: "null", stdout: "null", stderr: "null" }).spawn();
    const own = await measureWatcher(compiled);
    assert(own > 0 && own <= 40, `compiled: ${own} kB`);
    const { dir } = await busybox();
    const [file, ...args] = paddock.command(["run", "--memory", "64m", dir, "sleep", "1000"]);
    const run = await measureWatcher(
      new Deno.Command(file!, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn(),
    );
    assert(run > 0 && run <= 40, `run: ${run} kB`);
    await paddock.run(["gc"]);
  },
});

Deno.test({
  name: "a container of an ordinary user dies with its launcher, as that of root does",
  ...requires("root", "overlay"),
  fn: async () => {
    using paddock = new Paddock();
    const { dir } = await busybox();
    for (const more of [[], ["--user", "1000:1000"], ["--init", "--user", "1000"]]) {
      const [file, ...args] = paddock.command(["run", ...more, dir, "sleep", "1000"]);
      const process = new Deno.Command(file!, { args, stdin: "null", stdout: "null", stderr: "null" }).spawn();
      const children = `/proc/${process.pid}/task/${process.pid}/children`;
      const child = await waitFor("the container", () => {
        const pid = /^\d+/.exec(readOrNothing(children))?.[0];
        return /^(sleep|init)\0/.test(readOrNothing(`/proc/${pid}/cmdline`)) ? pid : undefined;
      });
      process.kill("SIGKILL");
      await process.status;
      await waitFor("its end", () => /^State:\s+[^Z]/m.test(readOrNothing(`/proc/${child}/status`)) ? undefined : true);
    }
    assertEquals((await paddock.run(["gc"])).code, 0);
  },
});

Deno.test({
  name: "a compiled launcher numbers each of its runs, in the environment of an init's command as well",
  ...requires("root", "overlay"),
  fn: async () => {
    using paddock = new Paddock();
    for (const more of [[], ["--init"]]) {
      const path = await compileContainer(paddock, ["sh", "-c", "echo $HOSTNAME; hostname; cat /etc/hostname"], more);
      const { stdout, code } = await call([path]);
      assertEquals(code, 0);
      const [name, ...others] = stdout.trim().split("\n");
      assert(/^box-\d{7}$/.test(name!) && name !== `box-${RUN_ID_DIGITS}`, stdout);
      assertEquals(others, [name, name]);
    }
  },
});

Deno.test({
  name: "an overlay works in a directory whose name has everything that separates its options",
  ...requires("root", "overlay"),
  fn: async () => {
    using paddock = new Paddock();
    const { tar } = await busybox();
    const data = `${paddock.work}/a:b,c\\d'e "f`;
    const words = ["run", "--root", paddock.root, "--data-root", data, tar, "sh", "-c", "echo kept > /new; cat /new"];
    const { stdout, stderr, code } = await call([...PADDOCK_COMMAND, ...words]);
    assertEquals([code, stdout], [0, "kept\n"], stderr);
    assertEquals([...Deno.readDirSync(`${data}/containers`)], []);
  },
});
