import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import { planContainer } from "./build.ts";
import { exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import type { Plan } from "../program/step.ts";

const DETACHMENT = { log: "/var/lib/paddock/containers/web/log", monitorFile: "/run/paddock/web/monitor" };

function plan(terminal = false): Plan {
  const config = exampleConfig({ process: { terminal } });
  return planContainer(config, exampleFacts({}), exampleSetting({ detachment: DETACHMENT }));
}

function whatsOf({ sections }: Plan, title: string): string[] {
  return sections.filter((section) => section.title === title).flatMap(({ acts }) => acts.map(({ what }) => what));
}

Deno.test("the monitor is made before anything that would have to be removed, and lets go when the command has begun", () => {
  const before = whatsOf(plan(), "before the container");
  const at = before.indexOf("start the monitor");
  assert(at > 0 && before.slice(at + 1).some((what) => what.startsWith("start the container")), before.join("; "));
  assert(!before.slice(0, at).some((what) => what.includes("cgroup") || what.includes("mount")), before.join("; "));
  const alive = whatsOf(plan(), "while the container lives");
  const order = ["see whether the container has started", "let go of the caller", "wait for signals"];
  assertEquals(alive.filter((what) => order.includes(what)), order);
  // The pages with these texts must be given back after they were used, or they stay for as long as it watches.
  assert(alive.indexOf("let go of the caller") < alive.indexOf("give back the memory of steps that have run"));
});

Deno.test("its output is the log's, and with a terminal the monitor writes there what it relays", () => {
  const plain = writeSteps(plan().sections.flatMap(({ acts }) => acts));
  assertEquals(plain.filter((line) => line.startsWith("dup3(105, ")), ["dup3(105, 1, 0)", "dup3(105, 2, 0)"]);
  assertEquals(plain.filter((line) => /^dup3\(0, [12], 0\)/.test(line)), ["dup3(0, 1, 0)", "dup3(0, 2, 0)"]);
  const terminal = whatsOf(plan(true), "the container");
  assert(!terminal.includes("write its output to the log"), terminal.join("; "));
  const relayed = writeSteps(plan(true).sections.flatMap(({ acts }) => acts));
  assertEquals(relayed.filter((line) => line.startsWith("dup3(105, ")), ["dup3(105, 1, 0)", "dup3(105, 2, 0)"]);
});

Deno.test("the caller's half prints the id when the command has begun, and else ends as the monitor did", () => {
  const lines = writeSteps(
    plan().sections.filter(({ title }) => title.startsWith("meanwhile")).flatMap(({ acts }) => acts),
  );
  assert(lines.some((line) => line.startsWith('write(1, "web\\n"')), lines.join("\n"));
  assert(lines.some((line) => line.startsWith("wait4(")), lines.join("\n"));
});

Deno.test("a container in the background assembles for both architectures", () => {
  for (const arch of ["x86_64", "aarch64"] as const) {
    const made = planContainer(exampleConfig(), exampleFacts({ arch }), exampleSetting({ detachment: DETACHMENT }));
    assert(assemble(made).length > 0);
  }
});

Deno.test("with an input of its own it reads from a pipe that never ends", () => {
  const input = "/run/paddock/web/stdin";
  const made = planContainer(
    exampleConfig(),
    exampleFacts({}),
    exampleSetting({ detachment: { ...DETACHMENT, input } }),
  );
  const lines = writeSteps(made.sections.flatMap(({ acts }) => acts));
  assert(lines.some((line) => line.startsWith("openat(") && line.includes(input) && line.includes("O_RDWR")));
  assert(lines.includes("dup3(108, 0, 0)"));
  assert(!whatsOf(made, "the container").includes("give it an empty standard input"));
});
