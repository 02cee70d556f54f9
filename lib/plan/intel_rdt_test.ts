import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import type { CgroupActs } from "../cgroup/acts.ts";
import { DISABLED } from "../cgroup/disabled.ts";
import { exampleFacts, exampleMount } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import type { IntelRdt } from "../spec/config.ts";
import { planContainer } from "./build.ts";
import { exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { listResctrl, withIntelRdt } from "./intel_rdt.ts";

const facts = exampleFacts({ mounts: [...exampleFacts().mounts, exampleMount("/sys/fs/resctrl", "resctrl")] });

function plan(intelRdt: IntelRdt): CgroupActs {
  return withIntelRdt(DISABLED, exampleConfig({ linux: { intelRdt } }), facts, "web");
}

Deno.test("withIntelRdt makes a class of the container's id, writes all lines at once, enters and removes it", () => {
  const acts = plan({ l3CacheSchema: "L3:0=f", memBwSchema: "MB:0=50", schemata: ["L2:0=1"] });
  const made = writeSteps(acts.create);
  assertEquals(made[0], 'mkdirat(-100, "/sys/fs/resctrl/web", 0755)');
  assert(made.includes('write(<1 back>, "L3:0=f\\nMB:0=50\\nL2:0=1\\n", 22)'), made.join("\n"));
  assert(writeSteps(acts.join).includes('openat(-100, "/sys/fs/resctrl/web/tasks", O_WRONLY|O_CLOEXEC)'));
  assertEquals(writeSteps(acts.remove), [
    "@add(<rdt.class>, 0)",
    'unlinkat(-100, "/sys/fs/resctrl/web", AT_REMOVEDIR)',
  ]);
});

Deno.test("withIntelRdt takes a class of a given name that is there, and monitors in a group of its own", () => {
  const acts = plan({ closID: "gold", enableMonitoring: true });
  const [make] = acts.create;
  assertEquals(make?.steps[0]?.onNegative, "next");
  assertEquals(writeSteps([make!]).slice(0, 2), [
    'mkdirat(-100, "/sys/fs/resctrl/gold", 0755)',
    "@add(<1 back>, 17)",
  ]);
  const group = "/sys/fs/resctrl/gold/mon_groups/web";
  assert(writeSteps(acts.create).includes(`mkdirat(-100, "${group}", 0755)`));
  assert(writeSteps(acts.join).includes(`openat(-100, "${group}/tasks", O_WRONLY|O_CLOEXEC)`));
  assertEquals(acts.remove.map(({ what }) => what), [`remove ${group}`, "remove /sys/fs/resctrl/gold"]);
});

Deno.test("withIntelRdt says where resctrl is not mounted, and does nothing where nothing is asked", () => {
  const config = exampleConfig({ linux: { intelRdt: {} } });
  assertThrows(() => withIntelRdt(DISABLED, config, exampleFacts(), "x"), PaddockError, "linux.intelRdt: resctrl");
  assertEquals(withIntelRdt(DISABLED, exampleConfig(), exampleFacts(), "x"), DISABLED);
});

Deno.test("a container with a class assembles, standing alone too", () => {
  const config = exampleConfig({
    linux: { intelRdt: { closID: "gold", schemata: ["MB:0=50"], enableMonitoring: true } },
  });
  const { finish: _, ...alone } = exampleSetting();
  for (const setting of [exampleSetting(), alone]) assert(assemble(planContainer(config, facts, setting)).length > 0);
});

Deno.test("listResctrl names what goes with the container, and no class that others may share", () => {
  const list = (intelRdt: IntelRdt) => listResctrl(exampleConfig({ linux: { intelRdt } }), facts, "web");
  const top = "/sys/fs/resctrl";
  assertEquals(list({ enableMonitoring: true }), [`${top}/web/mon_groups/web`, `${top}/web`]);
  assertEquals(list({ closID: "gold", enableMonitoring: true }), [`${top}/gold/mon_groups/web`]);
  assertEquals(list({ closID: "gold" }), []);
  assertEquals(listResctrl(exampleConfig(), facts, "web"), []);
});
