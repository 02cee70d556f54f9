import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import type { Plan } from "../program/step.ts";
import { planContainer } from "./build.ts";
import { exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";

const LOG = "/var/lib/paddock/containers/web/log";

function plan(maxFiles: number, terminal = false, arch: "x86_64" | "aarch64" = "x86_64"): Plan {
  const detachment = {
    log: LOG,
    monitorFile: "/run/paddock/web/monitor",
    pump: { maxSize: 1 << 20, maxFiles },
  };
  return planContainer(
    exampleConfig({ process: { terminal } }),
    exampleFacts({ arch }),
    exampleSetting({ detachment }),
  );
}

const steps = (made: Plan): string[] => writeSteps(made.sections.flatMap(({ acts }) => acts));

Deno.test("output goes into the pipes, whose other ends are the pump's alone", () => {
  assertEquals(steps(plan(3)).filter((line) => /^dup3\(1(10|12), [12], 0\)/.test(line)), [
    "dup3(110, 1, 0)",
    "dup3(112, 2, 0)",
  ]);
  assertEquals(steps(plan(3, true)).filter((line) => /^dup3\(110, [12], 0\)/.test(line)).length, 2);
  assertEquals(steps(plan(3)).filter((line) => /^close\((109|111)\)/.test(line)).length >= 2, true);
});

Deno.test("files are renamed from the last to the first; one alone is cut off", () => {
  const renames = steps(plan(3)).filter((line) => line.startsWith("renameat(") && line.includes(`${LOG}.`));
  assertEquals(renames.length, 4, "two for each stream");
  assert(renames[0]!.includes(`${LOG}.1`) && renames[0]!.includes(`${LOG}.2`), renames[0]);
  assert(steps(plan(1)).some((line) => line.includes("O_TRUNC") && line.includes(LOG)));
});

Deno.test("nothing that the pump does can lead to the monitor's own steps", () => {
  const acts = plan(2).sections.flatMap(({ acts }) => acts);
  const pump = acts.find(({ what }) => what.startsWith("write to the log until"))!;
  const labels = new Set(pump.steps.flatMap(({ label }) => label ?? []));
  for (const { onNegative, onZero, onPositive } of pump.steps) {
    assert(onNegative === "next" || labels.has(onNegative!), onNegative);
    for (const target of [onZero, onPositive]) assert(target === undefined || labels.has(target), target);
  }
});

Deno.test("it assembles for both architectures", () => {
  for (const arch of ["x86_64", "aarch64"] as const) assert(assemble(plan(5, false, arch)).length > 0);
});
