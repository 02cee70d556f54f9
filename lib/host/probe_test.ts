import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { FEATURES } from "./facts.ts";
import { listsFilesystem } from "./features.ts";
import { parseBoundingSet, probeHost } from "./probe.ts";

Deno.test("probeHost answers for every feature and agrees with what the kernel shows elsewhere", () => {
  const facts = probeHost();
  assertEquals(Object.keys(facts.has).sort(), [...FEATURES].sort());
  assertEquals(facts.version[0], Number(facts.release.split(".")[0]));
  const swapKib = Number(/^SwapTotal:\s*(\d+)/m.exec(Deno.readTextFileSync("/proc/meminfo"))?.[1]);
  assertEquals(facts.swapTotal, swapKib * 1024);
  assert(facts.mounts.some((mount) => mount.target === "/"));
  assert(facts.nofile.soft <= facts.nofile.hard || facts.nofile.hard === -1);
});

Deno.test("probeHost leaves no descriptor open", () => {
  probeHost();
  const count = () => [...Deno.readDirSync("/proc/self/fd")].length;
  const before = count();
  probeHost();
  assertEquals(count(), before);
});

Deno.test("parseBoundingSet finds the bounding set among the others", () => {
  const status = "CapEff:\t000001ffffffffff\nCapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n";
  assertEquals(parseBoundingSet(status), "00000000a80425fb");
  assertEquals(parseBoundingSet("Name:\tx\n"), "0");
});

Deno.test("listsFilesystem compares whole names, with nodev before them or not", () => {
  const text = "nodev\tsysfs\n\text4\nnodev\toverlay\n";
  assert(listsFilesystem("overlay", text));
  assert(listsFilesystem("ext4", text));
  assertNotEquals(listsFilesystem("over", text), true);
  assertNotEquals(listsFilesystem("nodev", text), true);
});
