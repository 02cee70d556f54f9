import { assert, assertEquals } from "@std/assert";
import { STEP } from "../program/interpreter.ts";
import { BUILT_IN } from "../program/layout.ts";
import type { Act, Step } from "../program/step.ts";
import { exampleSetting, writeSteps } from "./config_example.ts";
import { planContainerFault, planExit, planExitCode, planFinish, planReport, planRetry } from "./ending.ts";
import { planClone, planLauncher, planStarted, planState, planWatch } from "./monitor.ts";

const setting = exampleSetting();

function alone(): ReturnType<typeof exampleSetting> {
  const { finish: _, ...others } = exampleSetting({ prepared: false });
  return others;
}

/** The step of that label, among these acts. */
function find(acts: readonly Act[], label: string): Step {
  const found = acts.flatMap(({ steps }) => steps).find((step) => step.label === label);
  assert(found !== undefined, label);
  return found;
}

/**
 * Does what the launcher would with operations on numbers, until a step that is a system call or leads elsewhere. Gives
 * where it went and what is in memory.
 */
function calculate(act: Act, memory: Record<string, bigint>): string {
  const results: bigint[] = [];
  const value = (arg: Step["args"][number], index: number): bigint => {
    if (typeof arg !== "object") return BigInt(arg);
    if ("load" in arg) return memory[arg.load] ?? 0n;
    if ("previous" in arg) return results[index - arg.previous]!;
    throw new Error(JSON.stringify(arg));
  };
  for (let index = 0; index < act.steps.length;) {
    const { call, args: [first, second], onNegative, onZero, onPositive } = act.steps[index]!;
    if (call === "@store") {
      assert(typeof first === "object" && "region" in first);
      results[index] = memory[first.region] = value(second!, index);
    } else {
      const [a, b] = [value(first!, index), value(second!, index)];
      const operations: Record<string, bigint> = { "@and": a & b, "@add": a + b, "@sub": a - b, "@shr": a >> b };
      results[index] = operations[call]!;
    }
    const target = (results[index]! < 0n ? onNegative : results[index] === 0n ? onZero : onPositive) ?? "next";
    const labelled = act.steps.findIndex(({ label }) => label === target);
    if (target !== "next" && labelled === -1) return target;
    index = target === "next" ? index + 1 : labelled;
  }
  return "next";
}

Deno.test("planExitCode gives the command's own code, and 128 and the signal's number where one ended it", () => {
  const cases: readonly (readonly [status: number, code: number, goesTo: string])[] = [
    [0, 0, "next"],
    [1 << 8, 1, "next"],
    [124 << 8, 124, "next"],
    // From 125 on somebody may have something to tell.
    [125 << 8, 125, "leftovers"],
    [127 << 8, 127, "leftovers"],
    [255 << 8, 255, "leftovers"],
    [9, 137, "leftovers"],
    // SIGSEGV with a core file.
    [11 | 0x80, 139, "leftovers"],
  ];
  for (const [status, code, goesTo] of cases) {
    const memory = { [BUILT_IN.status]: BigInt(status) };
    assertEquals([calculate(planExitCode(setting), memory), Number(memory["code" as keyof typeof memory])], [
      goesTo,
      code,
    ]);
  }
});

Deno.test("planExitCode always hands over where the record is kept or every step is told", () => {
  for (const more of [{ keep: true }, { trace: true }]) {
    assertEquals(calculate(planExitCode(exampleSetting(more)), { [BUILT_IN.status]: 0n }), "leftovers");
  }
});

Deno.test("planExit removes what is in the state directory, and keeps it where the container is kept", () => {
  const paths = (more: Parameters<typeof exampleSetting>[0]) =>
    writeSteps(planExit(exampleSetting(more))).filter((line) => line.startsWith("unlinkat")).map((line) =>
      line.split('"')[1]
    );
  assertEquals(
    paths({}),
    ["config.json", "state.json", "pid", "lock", "exec"].map((name) => `/run/paddock/web/${name}`)
      .concat("/run/paddock/web"),
  );
  assertEquals(paths({ keep: true }), []);
  assertEquals(writeSteps(planExit(setting)).at(-1), "exit_group(code)");
});

Deno.test("planLauncher names the launcher, hides it, closes what it inherited and blocks all signals", () => {
  const lines = writeSteps(planLauncher(setting));
  assertEquals(lines.slice(0, 2), [
    'prctl(PR_SET_NAME, "paddock: web", 0, 0, 0)',
    "prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)",
  ]);
  // The lock of the state directory is descriptor 3.
  assert(lines.includes("close_range(4, 0xffffffff, 0)"));
  assertEquals(lines.at(-1), "rt_sigprocmask(SIG_SETMASK, &mask, 0, 8)");
  // Those that the caller ignores are not to be sent on: hang-up, interrupt, quit.
  const asked = lines.filter((line) => line.startsWith("rt_sigaction"));
  assertEquals(asked, [1, 2, 3].map((signal) => `rt_sigaction(${signal}, 0, &action, 8)`));
});

Deno.test("planLauncher that stands alone closes descriptors one by one where there is no call for all", () => {
  const acts = planLauncher(alone());
  const close = acts.find(({ what }) => what === "close inherited descriptors")!;
  assertEquals(writeSteps([close]), [
    "close_range(3, 0xffffffff, 0)",
    "prlimit64(0, 7, 0, &action)",
    "@store(&counter, 3)",
    "close(counter)",
    "@add(counter, 1)",
    "@store(&counter, <1 back>)",
    "@sub(<1 back>, action)",
  ]);
  assertEquals([close.steps[0]?.onZero, close.steps[0]?.onNegative], ["end", "next"]);
  assertEquals(close.steps.at(-1)?.onNegative, close.steps[3]?.label);
});

Deno.test("planState makes and locks the state directory where no paddock has done it", () => {
  assertEquals(planState(setting, []), []);
  assertEquals(writeSteps(planState(alone(), [])), [
    'mkdirat(-100, "/run/paddock", 0700)',
    'mkdirat(-100, "/run/paddock/web", 0700)',
    'openat(-100, "/run/paddock/web/lock", O_RDWR|O_CREAT|O_CLOEXEC, 0600)',
    "flock(<1 back>, LOCK_EX|LOCK_NB)",
  ]);
});

Deno.test("planClone sleeps until the child's exec, or goes on at once where both sides have to talk", () => {
  const clone = (arch: "x86_64" | "aarch64", concurrent: boolean) =>
    planClone({
      arch,
      flags: ["CLONE_NEWPID"],
      unshare: "--pid --fork",
      concurrent,
      next: concurrent ? "mapping" : "started",
    }).steps[0]!;
  const flagsOf = ({ args: [found] }: Step) => typeof found === "object" && "flags" in found ? found.flags : [];
  assert(flagsOf(clone("x86_64", false)).includes("CLONE_VFORK"));
  assertEquals(clone("x86_64", false).onPositive, "started");
  const waiting = flagsOf(clone("x86_64", true));
  assert(!waiting.includes("CLONE_VFORK") && waiting.includes("CLONE_CHILD_CLEARTID"));
  assertEquals(clone("x86_64", true).onPositive, "mapping");
  // The last two arguments are the other way round on x86_64.
  assertEquals(clone("x86_64", true).args.slice(3), [{ region: "vm" }, 0]);
  assertEquals(clone("aarch64", true).args.slice(3), [0, { region: "vm" }]);
});

Deno.test("planContainerFault notes the step that led there, and ends the child", () => {
  assertEquals(writeSteps([planContainerFault()]), [
    "@origin()",
    `@store(&${BUILT_IN.fault}, <1 back>)`,
    "exit_group(125)",
    "@load(0, 0)",
  ]);
});

Deno.test("planStarted waits for a child that failed, and writes the process id of one that runs", () => {
  const acts = planStarted(setting);
  assertEquals(find(acts, "started").onZero, "running");
  assertEquals(acts[0]!.steps.at(-1)?.onZero, "leftovers");
  assert(writeSteps(acts).includes('openat(-100, "/run/paddock/web/pid", O_WRONLY|O_CREAT|O_CLOEXEC, 0600)'));
  // With a trace the results of the container's steps are still wanted.
  const gives = (more: Parameters<typeof exampleSetting>[0]) =>
    writeSteps(planStarted(exampleSetting(more))).some((line) => line.startsWith("madvise"));
  assertEquals([gives({}), gives({ trace: true })], [true, false]);
});

Deno.test("planWatch reaps, stops with the shell's job, kills at the second Ctrl-C, and sends all else on", () => {
  const freeze = [{ call: "write", args: [1, 2, 3] }];
  const acts = planWatch({ freeze, thaw: freeze });
  const lines = writeSteps(acts);
  assert(
    lines.includes("@sub(<watch>, 17)") && lines.includes("@sub(<watch>, 20)") && lines.includes("@sub(<watch>, 2)"),
  );
  const forward = find(acts, "forward");
  assertEquals([forward.call, forward.onZero, forward.onNegative], ["kill", "watch", "watch"]);
  const reap = find(acts, "reap");
  assertEquals([reap.onZero, reap.onPositive], ["watch", "ended"]);
  // A cgroup that cannot be frozen does not keep the launcher from stopping.
  const frozen = acts.flatMap(({ steps }) => steps).filter(({ call }) => call === "write");
  assertEquals(frozen.map(({ onNegative }) => onNegative), ["next", "next"]);
});

Deno.test("planFinish writes the record under another name first, and says what is left where paddock is gone", () => {
  const lines = writeSteps(
    planFinish(setting, { argv: ["/usr/bin/paddock", "finish", "web"], env: ["HOME=/"] }, "leftovers"),
  );
  const rename = 'renameat(-100, "/run/paddock/web/outcome.new", -100, "/run/paddock/web/outcome")';
  const exec = 'execve("/usr/bin/paddock", {32 bytes}, {16 bytes})';
  assert(lines.indexOf(rename) > 0 && lines.indexOf(rename) < lines.indexOf(exec));
  assert(lines.some((line) => line.startsWith("write(2,") && line.includes("run `paddock gc`")));
  assertEquals(lines.at(-1), "exit_group(code)");
});

Deno.test("planReport finds the words of the step that failed by its row of the table", () => {
  const lines = writeSteps([planReport("web")]);
  assert(lines.includes(`@load(${BUILT_IN.fault}, ${STEP.targets})`));
  // The index of the words is in the top 16 bits of the word that begins with the targets.
  assertEquals(STEP.what - STEP.targets, 6);
  assert(lines.includes('write(2, "paddock: web: cannot ", 21)'));
});

Deno.test("planRetry tries a hundred times with a pause, and then gives up", () => {
  const { steps } = planRetry("retry", "again", "givenUp");
  assertEquals(steps[0]?.call, "nanosleep");
  const last = steps.at(-1);
  assertEquals([last?.args[1], last?.onNegative, last?.onZero, last?.onPositive], [100, "again", "givenUp", "givenUp"]);
});
