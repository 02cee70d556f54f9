import { assert, assertEquals } from "@std/assert";
import { exampleCgroupHybrid, exampleFacts, exampleOldFacts } from "./facts_example.ts";

Deno.test("exampleFacts takes single features and keeps the others", () => {
  const facts = exampleFacts({ has: { openat2: false }, uid: 1000 });
  assertEquals([facts.has.openat2, facts.has.clone3, facts.uid], [false, true, 1000]);
});

Deno.test("exampleOldFacts is a kernel 4.18 with v1 controllers where its mount table says", () => {
  const facts = exampleOldFacts();
  assertEquals(facts.version, [4, 18, 0]);
  assertEquals(facts.has.openat2, false);
  assertEquals(facts.cgroup.controllers["cpu"]?.joint, ["cpu", "cpuacct"]);
  assert(facts.mounts.some((mount) => mount.target === "/sys/fs/cgroup/cpu,cpuacct" && mount.type === "cgroup"));
});

Deno.test("exampleFacts shows the hierarchies of a hybrid layout in its mount table", () => {
  const facts = exampleFacts({ cgroup: exampleCgroupHybrid() });
  assertEquals(facts.cgroup.controllers["pids"]?.version, 2);
  assert(facts.mounts.some((mount) => mount.target === "/sys/fs/cgroup/unified" && mount.type === "cgroup2"));
});
