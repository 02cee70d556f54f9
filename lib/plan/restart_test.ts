import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import type { Act, Plan } from "../program/step.ts";
import { planContainer } from "./build.ts";
import { exampleConfig, exampleSetting } from "./config_example.ts";
import type { RestartPlan } from "./detachment.ts";
import { PAUSES } from "./restart.ts";

const FILES = { stoppingFile: "/run/paddock/web/stopping", countFile: "/run/paddock/web/restarts" };

function plan(more: Partial<RestartPlan> = {}, arch: "x86_64" | "aarch64" = "x86_64"): Plan {
  const detachment = { monitorFile: "/run/paddock/web/monitor", restart: { ...FILES, ...more } };
  return planContainer(exampleConfig(), exampleFacts({ arch }), exampleSetting({ keep: true, detachment }));
}

function actsOf({ sections }: Plan, title: string): readonly Act[] {
  return sections.filter((section) => section.title === title).flatMap(({ acts }) => acts);
}

const decision = (plan: Plan): Act =>
  actsOf(plan, "after the container").find(({ what }) => what === "see whether it is to be started again")!;

Deno.test("pauses double from a tenth of a second to a minute", () => {
  assertEquals(PAUSES.slice(0, 4), [100, 200, 400, 800]);
  assertEquals([PAUSES.at(-2), PAUSES.at(-1)], [51_200, 60_000]);
});

Deno.test("a launcher that executed itself makes no second monitor", () => {
  const whats = actsOf(plan(), "before the container").map(({ what }) => what);
  const [again, divide] = ["see whether it is started again", "start the monitor"].map((what) => whats.indexOf(what));
  assert(again! > 0 && divide === again! + 1, whats.join("; "));
});

Deno.test("whoever asks it to end and the launcher cannot miss each other", () => {
  // It writes the process id first and looks for the file then; who asks does it the other way round.
  const whats = actsOf(plan(), "while the container lives").map(({ what }) => what);
  const written = whats.findIndex((what) => what.startsWith("write the process id"));
  assert(written >= 0 && whats.indexOf("see whether it was asked to end meanwhile") > written, whats.join("; "));
  const [first] = decision(plan()).steps;
  assertEquals([first!.call, first!.onZero], ["faccessat", "leftovers"]);
});

Deno.test("each policy asks what it has to", () => {
  const asked = (restart: Partial<RestartPlan>) => decision(plan(restart)).steps.map(({ args }) => args.at(-1));
  const always = asked({});
  assertEquals(asked({ onFailure: {} }).length, always.length + 1);
  const often = asked({ onFailure: { atMost: 5 } });
  assertEquals([often.length, often.includes(5)], [always.length + 2, true]);
});

Deno.test("explain shows what is asked, the pause and the start", () => {
  const lines = actsOf(plan({ onFailure: { atMost: 4 } }), "after the container").flatMap(({ shell }) => shell);
  for (const part of ["/run/paddock/web/stopping", "-ge 4", "sleep 0.1", 'exec "$0" again']) {
    assert(lines.some((line) => line.includes(part)), lines.join("\n"));
  }
});

Deno.test("one that is started again assembles for both architectures", () => {
  for (const arch of ["x86_64", "aarch64"] as const) assert(assemble(plan({ onFailure: {} }, arch)).length > 0);
});
