import { assertEquals } from "@std/assert";
import type { Process } from "./config.ts";
import { grantCapabilities } from "./grantable.ts";

const PROCESS: Process = { cwd: "/", env: [], args: ["sh"], user: { uid: 0, gid: 0 } };

Deno.test("grantCapabilities leaves out what is not known or not to be had, and tells it", () => {
  const bounding = ["CAP_CHOWN", "CAP_SYS_ADMIN", "CAP_FLY", "chown"];
  const { process, left } = grantCapabilities({ ...PROCESS, capabilities: { bounding } }, ["chown", "kill"]);
  assertEquals(process.capabilities, { bounding: ["CAP_CHOWN"] });
  assertEquals(left.map(({ path, problem }) => `${path}: ${problem}`), [
    "process.capabilities.bounding: CAP_SYS_ADMIN is not to be had here",
    "process.capabilities.bounding: 'CAP_FLY' is no capability",
    "process.capabilities.bounding: 'chown' is no capability",
  ]);
});

Deno.test("grantCapabilities keeps ambient capabilities that are permitted and inheritable, and no others", () => {
  const sets = { permitted: ["CAP_CHOWN", "CAP_KILL"], inheritable: ["CAP_KILL"], ambient: ["CAP_CHOWN", "CAP_KILL"] };
  const { process, left } = grantCapabilities({ ...PROCESS, capabilities: sets }, ["chown", "kill"]);
  assertEquals(process.capabilities?.ambient, ["CAP_KILL"]);
  assertEquals(left.map(({ problem }) => problem), ["CAP_CHOWN is not permitted and inheritable too"]);
});

Deno.test("grantCapabilities leaves a process without capabilities as it is", () => {
  assertEquals(grantCapabilities(PROCESS, []), { process: PROCESS, left: [] });
});
