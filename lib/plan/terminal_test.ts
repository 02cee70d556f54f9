import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import type { Act, Step } from "../program/step.ts";
import { exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { planPty, planRelay, planStreams, planTerminalSize } from "./terminal.ts";

const facts = exampleFacts();

function relay(interactive = true, host = facts): Act[] {
  return planRelay(host, exampleSetting({ interactive }));
}

function stepsOf(acts: readonly Act[]): Step[] {
  return acts.flatMap(({ steps }) => steps);
}

Deno.test("planTerminalSize keeps the caller's settings, and goes on where there is no terminal", () => {
  const { steps } = planTerminalSize();
  assertEquals(steps.filter(({ call }) => call === "ioctl").map(({ onNegative }) => onNegative), [
    "end",
    "end",
    "next",
  ]);
});

Deno.test("planPty opens the pty in the container's own devpts, and its end by the descriptor, not by a name", () => {
  const lines = writeSteps([planPty(facts)]);
  assertEquals(lines[0], 'openat2(<root>, "dev/pts/ptmx", {24 bytes}, 24)');
  assert(lines.includes("ioctl(102, TIOCGPTPEER, O_RDWR|O_NOCTTY|O_CLOEXEC)"));
  assertEquals(lines.some((line) => line.includes("/dev/pts/0")), false);
  assertEquals(lines.at(-1), 'mount("/proc/self/fd/101", "/proc/self/fd/100", 0, MS_BIND, 0)');
});

Deno.test("planStreams takes descriptors of its own before it replaces the three that the launcher has as well", () => {
  const lines = writeSteps([planStreams(exampleConfig({ process: { user: { uid: 7, gid: 8 } } }))]);
  const unshare = lines.indexOf("unshare(CLONE_FILES)");
  const first = lines.findIndex((line) => line.startsWith("dup3"));
  assert(unshare > 0 && unshare < first);
  assertEquals(lines.slice(first), ["dup3(<pts>, 0, 0)", "dup3(<pts>, 1, 0)", "dup3(<pts>, 2, 0)"]);
  // The user may reopen its terminal.
  assert(lines.includes('fchownat(<pts>, "", 7, -1, AT_EMPTY_PATH)'));
});

Deno.test("planRelay gives the terminal back on its only way out", () => {
  const steps = stepsOf(relay());
  assertEquals(
    steps.filter(({ onZero, onNegative, onPositive }) => [onZero, onNegative, onPositive].includes("ended")).map(
      ({ label, call }) => label ?? call,
    ),
    ["tty.restore", "ioctl"],
  );
  assertEquals(writeSteps([{ what: "", why: "", shell: [], steps: [steps.at(-1)!] }]), [
    "ioctl(0, TCSETS, &tty.saved)",
  ]);
});

Deno.test("planRelay jumps only to steps that are there", () => {
  const steps = stepsOf(relay());
  const labels = new Set(steps.map(({ label }) => label));
  const targets = steps.flatMap(({ onNegative, onZero, onPositive }) => [onNegative, onZero, onPositive]);
  for (const target of targets) {
    if (target !== undefined && !["next", "end", "ended"].includes(target)) assert(labels.has(target), target);
  }
});

Deno.test("planRelay closes what was opened for the container one by one where there is no call for all", () => {
  assert(writeSteps(relay()).includes("close_range(4, 101, 0)"));
  const old = writeSteps(relay(true, exampleFacts({ has: { close_range: false } })));
  assertEquals(old.some((line) => line.startsWith("close_range")), false);
  assert(old.includes("close(counter)"));
});

Deno.test("planRelay looks at standard input only where input is to be passed on", () => {
  const stdin = (interactive: boolean) =>
    writeSteps(relay(interactive)).find((line) => line.startsWith("@store(&tty.stdin"));
  assertEquals(stdin(true), "@store(&tty.stdin, 0x100000000)");
  assertEquals(stdin(false), "@store(&tty.stdin, 0x1ffffffff)");
});
