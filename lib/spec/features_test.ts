import { assert, assertEquals } from "@std/assert";
import { describeFeatures } from "./features.ts";
import { OCI_VERSION } from "./oci_version.ts";
import { parseConfig } from "./parse.ts";

const FEATURES = describeFeatures({ version: "1.2.3", hooks: [], seccomp: { enabled: true } });

Deno.test("describeFeatures tells the versions that validation takes, and this one", () => {
  assertEquals([FEATURES.ociVersionMin, FEATURES.ociVersionMax], ["1.0.0", OCI_VERSION]);
  assertEquals(FEATURES.annotations, { "dev.paddock.version": "1.2.3" });
});

Deno.test("describeFeatures lists every word of mount options once, sorted, propagation too", () => {
  const { mountOptions } = FEATURES;
  assertEquals([...new Set(mountOptions)].sort(), mountOptions);
  const words = ["ro", "rro", "rnosuid", "idmap", "ridmap", "tmpcopyup", "rslave", "unbindable", "nosymfollow"];
  for (const word of words) assert(mountOptions.includes(word), word);
  assertEquals(mountOptions.includes("mode=755"), false);
});

Deno.test("describeFeatures lists namespaces that the parser takes, each and no other", () => {
  const json = { ociVersion: "1.3.0", process: { cwd: "/" }, root: { path: "/" } };
  const namespaces = FEATURES.linux.namespaces.map((type) => ({ type }));
  assertEquals(parseConfig({ ...json, linux: { namespaces } }).linux.namespaces.length, 8);
});

Deno.test("describeFeatures leaves seccomp to who compiles its filters, and has a systemd driver, for root", () => {
  assertEquals(FEATURES.linux.seccomp, { enabled: true });
  assertEquals([FEATURES.linux.cgroup.systemd, FEATURES.linux.cgroup.systemdUser], [true, false]);
  assertEquals(FEATURES.potentiallyUnsafeConfigAnnotations, ["org.systemd.property."]);
  assertEquals(FEATURES.linux.memoryPolicy.modes.length, 7);
});
