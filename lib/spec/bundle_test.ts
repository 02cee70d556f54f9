import { assertEquals, assertThrows } from "@std/assert";
import { CAPABILITIES } from "../base/capabilities.ts";
import { PaddockError } from "../base/errors.ts";
import { readBundleConfig, resolvePaths } from "./bundle.ts";
import type { Config } from "./config.ts";

const CONFIG: Config = {
  ociVersion: "1.2.0",
  process: { cwd: "/", env: [], args: ["sh"], user: { uid: 0, gid: 0 } },
  root: { path: "rootfs" },
  mounts: [],
  annotations: {},
  linux: { namespaces: [{ type: "mount" }] },
};
const AROUND = { bundle: "/b", capabilities: CAPABILITIES };

Deno.test("resolvePaths makes paths of the bundle and destinations in the container absolute", () => {
  const mounts = [
    { destination: "data/", type: "bind", source: "./data" },
    { destination: "/proc/", type: "proc", source: "proc" },
    { destination: "x//y/./z", options: ["rbind"], source: "/abs" },
  ];
  const { root, mounts: resolved } = resolvePaths({ ...CONFIG, mounts }, "/b");
  assertEquals(root.path, "/b/rootfs");
  assertEquals(resolved.map(({ destination, source }) => [destination, source]), [
    ["/data", "/b/data"],
    ["/proc", "proc"],
    ["/x/y/z", "/abs"],
  ]);
  assertEquals(resolvePaths({ ...CONFIG, root: { path: "." } }, "/b").root.path, "/b");
  assertEquals(resolvePaths({ ...CONFIG, root: { path: "/" } }, "/b").root.path, "/");
});

Deno.test("readBundleConfig warns of capabilities that cannot be had, gives none unasked, and refuses what is wrong", () => {
  const asking = { ...CONFIG, process: { ...CONFIG.process, capabilities: { bounding: ["CAP_FLY"] } } };
  const { config, warnings } = readBundleConfig(JSON.stringify(asking), AROUND);
  assertEquals(config.process.capabilities, { bounding: [] });
  assertEquals(warnings.map(({ problem }) => problem), ["'CAP_FLY' is no capability"]);
  const silent = readBundleConfig(JSON.stringify(CONFIG), AROUND).config;
  assertEquals(silent.process.capabilities, {});
  const wrong = JSON.stringify({ ...CONFIG, process: { ...CONFIG.process, cwd: "tmp" } });
  assertThrows(() => readBundleConfig(wrong, AROUND), PaddockError, "process.cwd: 'tmp' is not absolute");
});
