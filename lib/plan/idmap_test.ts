import { assert, assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { exampleFacts } from "../host/facts_example.ts";
import { assemble } from "../program/assemble.ts";
import { decodeProgram } from "../program/decode.ts";
import type { Config, Mount } from "../spec/config.ts";
import { DEFAULT_MOUNTS } from "../spec/defaults.ts";
import { planContainer } from "./build.ts";
import { actsOf, exampleConfig, exampleSetting, writeSteps } from "./config_example.ts";
import { planShiftedRelease, planShiftedSources, shiftedRegions } from "./idmap.ts";

const MAP = [{ containerID: 0, hostID: 1000, size: 10 }];
const SHIFTED: Mount = {
  destination: "/data",
  type: "bind",
  source: "/srv/data",
  options: ["rbind", "ridmap", "ro"],
  uidMappings: MAP,
  gidMappings: MAP,
};

function config(...mounts: Mount[]): Config {
  return exampleConfig({ mounts: [...DEFAULT_MOUNTS, ...mounts] });
}

const key = (index: number): string => `mount${index}`;

Deno.test("planShiftedSources makes one user namespace for all mounts with the same maps", () => {
  const other = { ...SHIFTED, destination: "/other", source: "/srv/other", options: ["bind"] };
  const lines = writeSteps(planShiftedSources(config(SHIFTED, other), exampleFacts(), key));
  assertEquals(lines.filter((line) => line.startsWith("clone(")), ["clone(CLONE_NEWUSER|SIGCHLD, 0, 0, 0, 0)"]);
  assertEquals(lines.filter((line) => line === 'write(<1 back>, "0 1000 10\\n", 10)').length, 2);
  assert(lines.includes("wait4(<maps0.helper>, 0, 0, 0)"));
  assert(lines.includes('open_tree(-100, "/srv/data", OPEN_TREE_CLONE|OPEN_TREE_CLOEXEC|AT_RECURSIVE)'));
  assert(lines.includes('mount_setattr(<mount7.tree>, "", AT_EMPTY_PATH|AT_RECURSIVE, &maps0, 32)'));
  assert(lines.includes('mount_setattr(<mount8.tree>, "", AT_EMPTY_PATH, &maps0, 32)'));
  assertEquals(Object.keys(shiftedRegions(config(SHIFTED, other))), ["maps0", "maps0.proc"]);
});

Deno.test("planShiftedSources takes the maps of the user namespace where a mount has none of its own", () => {
  const { uidMappings: _u, gidMappings: _g, ...mount } = SHIFTED;
  const inUser = exampleConfig({ mounts: [mount], linux: { uidMappings: MAP, gidMappings: MAP } });
  assert(writeSteps(planShiftedSources(inUser, exampleFacts(), key)).includes('write(<1 back>, "0 1000 10\\n", 10)'));
});

Deno.test("planShiftedSources does nothing without such mounts, and names the mount that a kernel cannot have", () => {
  assertEquals(planShiftedSources(config(), exampleFacts(), key), []);
  assertEquals(planShiftedRelease(config(), key), []);
  const old = exampleFacts({ has: { mount_setattr: false } });
  assertThrows(() => planShiftedSources(config(SHIFTED), old, key), PaddockError, "mounts[7]: mapping owners needs");
});

Deno.test("the launcher maps owners before the clone, the child attaches, and the launcher lets go", () => {
  for (const arch of ["x86_64", "aarch64"] as const) {
    const plan = planContainer(config(SHIFTED), exampleFacts({ arch }), exampleSetting());
    const launcher = writeSteps(actsOf(plan, "launcher"));
    const mapped = launcher.findIndex((line) => line.includes("&maps0, 32"));
    const clones = launcher.findIndex((line) => line.startsWith("clone(CLONE_VM"));
    const released = launcher.indexOf("close(<mount7.tree>)");
    assert(mapped > 0 && mapped < clones && clones < released, launcher.join("\n"));
    const child = writeSteps(actsOf(plan, "container"));
    assertEquals(child.filter((line) => line.includes("/srv/data")), []);
    assert(child.some((line) => line.startsWith("move_mount(<mount7.tree>")));
    assert(decodeProgram(assemble(plan)).steps.length > 100);
  }
});
