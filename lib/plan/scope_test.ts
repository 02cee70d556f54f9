import { assert, assertEquals } from "@std/assert";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import type { Plan } from "../program/step.ts";
import { planContainer } from "./build.ts";
import { exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { planKeeper, planScopeTaken } from "./scope.ts";

const SCOPE = { place: { name: "box-web.scope", parent: "/system.slice" }, keeper: 4711 };
const CREATION = { fifo: "/run/paddock/web/exec.fifo", pidFiles: [] };

function whatsOf({ sections }: Plan): string[] {
  return sections.flatMap(({ acts }) => acts.map(({ what }) => what));
}

Deno.test("planKeeper sleeps and ends, on both architectures", () => {
  for (const arch of ["x86_64", "aarch64"] as const) {
    const plan = planKeeper(arch);
    const calls = plan.sections.flatMap(({ acts }) => acts.flatMap(({ steps }) => steps.map(({ call }) => call)));
    assertEquals(calls, ["prctl", "nanosleep", "exit_group"]);
    assert(assemble(plan).length < 5000);
  }
});

Deno.test("planScopeTaken ends the keeper and takes it up; without a scope there is none", () => {
  assertEquals(writeSteps(planScopeTaken({ scope: SCOPE })), ["kill(4711, 9)", "wait4(4711, 0, 0, 0)"]);
  assertEquals(planScopeTaken({}), []);
});

Deno.test("a container in a scope enters the unit's cgroup, and then its keeper is ended", () => {
  for (const creation of [undefined, CREATION]) {
    const setting = { ...exampleSetting(), scope: SCOPE, ...(creation === undefined ? {} : { creation }) };
    const plan = planContainer(exampleConfig(), exampleFacts(), setting);
    assertEquals(plan.cgroupPaths, ["/sys/fs/cgroup/system.slice/box-web.scope"]);
    const whats = whatsOf(plan);
    const [enter, end] = ["enter the cgroup /sys/fs/cgroup/system.slice/box-web.scope", "end the process that kept"]
      .map((begin) => whats.findIndex((what) => what.startsWith(begin)));
    assert(enter! >= 0 && end! > enter!);
    const ready = whats.findIndex((what) =>
      /^(see whether the container has started|wait until the container)/.test(what)
    );
    assert(end! > ready, "not before the first process is in there");
    assert(assemble(plan).length > 5000);
  }
});

Deno.test("a container without cgroups makes none, and enters none", () => {
  const plan = planContainer(exampleConfig(), exampleFacts(), { ...exampleSetting(), withoutCgroups: true });
  assertEquals([plan.cgroupPaths, whatsOf(plan).filter((what) => what.includes("cgroup /"))], [[], []]);
});
