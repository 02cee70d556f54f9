import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { parseConfig, parseConfigText } from "./parse.ts";

const LEAST = { ociVersion: "1.0.2", process: { cwd: "/" }, root: { path: "/r" }, linux: {} };

Deno.test("parseConfig fills in what may be absent, and passes over what it does not know", () => {
  assertEquals(parseConfig({ ...LEAST, hooks: { prestart: [] }, linux: { intelRdt: {}, namespaces: null } }), {
    ociVersion: "1.0.2",
    process: { cwd: "/", env: [], args: [], user: { uid: 0, gid: 0 } },
    root: { path: "/r" },
    mounts: [],
    annotations: {},
    linux: { namespaces: [] },
  });
});

Deno.test("parseConfig keeps what is known, to the letter", () => {
  const full = {
    ...LEAST,
    hostname: "box",
    process: {
      terminal: true,
      consoleSize: { height: 25, width: 80 },
      cwd: "/",
      env: ["A=1"],
      args: ["sh"],
      user: { uid: 1, gid: 2, umask: 18, additionalGids: [3] },
      capabilities: { bounding: ["CAP_CHOWN"], ambient: [] },
      rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 2 }],
      noNewPrivileges: false,
      oomScoreAdj: -1,
    },
    mounts: [{ destination: "/proc", type: "proc", source: "proc", options: ["ro"] }],
    annotations: { a: "b" },
    linux: {
      namespaces: [{ type: "network", path: "/ns" }],
      uidMappings: [{ containerID: 0, hostID: 1, size: 2 }],
      timeOffsets: { boottime: { secs: -1, nanosecs: 5 } },
      sysctl: { "net.x": "1" },
      resources: {
        memory: { limit: 5, swap: -1 },
        cpu: { shares: 2 },
        pids: { limit: 1 },
        unified: { "memory.high": "1" },
      },
    },
  };
  assertEquals(parseConfig(full) as unknown, full);
});

Deno.test("parseConfig reads the largest numbers of other languages as no limit", () => {
  const text = JSON.stringify({ ...LEAST, linux: { resources: { memory: { limit: 0 } } } }).replace(
    '"limit":0',
    '"limit":9223372036854775807',
  );
  assertEquals(parseConfigText(text).linux.resources?.memory, { limit: -1 });
});

Deno.test("parseConfig names the field that has the wrong shape", () => {
  const table: [unknown, string][] = [
    [null, "the configuration: needs an object, not null"],
    [[], "the configuration: needs an object, not []"],
    [{ ...LEAST, ociVersion: undefined }, "ociVersion: is missing"],
    [{ ...LEAST, process: {} }, "process.cwd: is missing"],
    [{ ...LEAST, process: { cwd: "/", env: ["A=1", 5] } }, "process.env[1]: needs a text, not 5"],
    [{ ...LEAST, process: { cwd: "/", terminal: "yes" } }, 'process.terminal: needs true or false, not "yes"'],
    [{ ...LEAST, process: { cwd: "/", user: { uid: 0.5 } } }, "process.user.uid: needs a whole number, not 0.5"],
    [{ ...LEAST, mounts: {} }, "mounts: needs a list, not {}"],
    [{ ...LEAST, mounts: [{}] }, "mounts[0].destination: is missing"],
    [{ ...LEAST, linux: { namespaces: [{ type: "net" }] } }, "linux.namespaces[0].type: needs one of pid, network"],
    [{ ...LEAST, linux: { sysctl: { "a.b": 1 } } }, 'linux.sysctl["a.b"]: needs a text, not 1'],
    [{ ...LEAST, annotations: "x".repeat(100) }, `annotations: needs an object, not "${"x".repeat(39)}…`],
  ];
  for (const [json, message] of table) assertThrows(() => parseConfig(json), PaddockError, message);
  assertThrows(() => parseConfigText("{"), PaddockError, "the configuration is no JSON");
});

Deno.test("parseConfig takes no field from a prototype, and sets none", () => {
  const json = JSON.parse(
    '{"ociVersion":"1","process":{"cwd":"/"},"root":{"path":"/"},"linux":{},"annotations":{"__proto__":"x"}}',
  );
  const config = parseConfig(json);
  assertEquals(Object.keys(config.annotations), ["__proto__"]);
  assertEquals(Object.getPrototypeOf(config.annotations), Object.prototype);
  assertThrows(() => parseConfig(Object.create(LEAST)), PaddockError, "ociVersion: is missing");
});
