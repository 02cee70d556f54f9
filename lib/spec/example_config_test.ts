import { assertEquals } from "@std/assert";
import { CAPABILITIES } from "../base/capabilities.ts";
import { readBundleConfig } from "./bundle.ts";
import { exampleConfigFile } from "./example_config.ts";

const AROUND = { bundle: "/b", capabilities: CAPABILITIES };

Deno.test("exampleConfigFile is a config.json that is taken as it stands, for root and for a user", () => {
  for (const config of [exampleConfigFile(), exampleConfigFile({ uid: 1000, gid: 100 })]) {
    const { config: read, warnings } = readBundleConfig(JSON.stringify(config), AROUND);
    assertEquals(warnings, []);
    assertEquals(read.root.path, "/b/rootfs");
    assertEquals(read.process.args, ["sh"]);
  }
});

Deno.test("exampleConfigFile for a user maps that user to root, and wants nothing that takes the host's root", () => {
  const { linux, mounts } = exampleConfigFile({ uid: 1000, gid: 100 });
  assertEquals(linux.uidMappings, [{ containerID: 0, hostID: 1000, size: 1 }]);
  assertEquals(linux.gidMappings, [{ containerID: 0, hostID: 100, size: 1 }]);
  assertEquals(linux.resources, undefined);
  assertEquals(linux.namespaces.map(({ type }) => type), ["pid", "ipc", "uts", "mount", "cgroup", "user"]);
  assertEquals(mounts.find(({ destination }) => destination === "/sys")?.source, "/sys");
  assertEquals(mounts.find(({ destination }) => destination === "/dev/pts")?.options?.includes("gid=5"), false);
});
