import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { parseConfig, parseConfigText, parseProcess, parseResources } from "./parse.ts";
import { ShapeError } from "./shape.ts";

const LEAST = { ociVersion: "1.0.2", process: { cwd: "/" }, root: { path: "/r" }, linux: {} };

Deno.test("parseConfig fills in what may be absent, and passes over what it does not know", () => {
  assertEquals(parseConfig({ ...LEAST, vm: { prestart: [] }, linux: { unheardOf: {}, namespaces: null } }), {
    ociVersion: "1.0.2",
    process: { cwd: "/", env: [], args: [], user: { uid: 0, gid: 0 } },
    root: { path: "/r" },
    mounts: [],
    annotations: {},
    linux: { namespaces: [] },
  });
});

Deno.test("parseConfig keeps what is known, to the letter", () => {
  assertEquals(parseConfig(FULL) as unknown, FULL);
  assertEquals(parseProcess(FULL.process) as unknown, FULL.process);
  assertEquals(parseResources(FULL.linux.resources) as unknown, FULL.linux.resources);
});

const MAP = [{ containerID: 0, hostID: 1, size: 2 }];
const THROTTLE = [{ major: 8, minor: 0, rate: 600 }];
const HOOK = [{ path: "/usr/bin/hook", args: ["hook", "x"], env: ["A=1"], timeout: 30 }];

/** Every field that runtime-spec 1.3 has for Linux, but for seccomp. */
const FULL = {
  ...LEAST,
  ociVersion: "1.3.0",
  root: { path: "/r", readonly: true },
  hostname: "box",
  domainname: "example.org",
  process: {
    terminal: true,
    consoleSize: { height: 25, width: 80 },
    cwd: "/",
    env: ["A=1"],
    args: ["sh"],
    user: { uid: 1, gid: 2, umask: 18, additionalGids: [3] },
    capabilities: { bounding: ["CAP_CHOWN"], effective: [], inheritable: ["CAP_KILL"], permitted: [], ambient: [] },
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 1, hard: 2 }],
    noNewPrivileges: false,
    oomScoreAdj: -1,
    scheduler: {
      policy: "SCHED_DEADLINE",
      nice: 0,
      priority: 0,
      flags: ["SCHED_FLAG_RESET_ON_FORK"],
      runtime: 1_000_000,
      deadline: 2_000_000,
      period: 3_000_000,
    },
    ioPriority: { class: "IOPRIO_CLASS_IDLE", priority: 4 },
    execCPUAffinity: { initial: "0-3", final: "1" },
    apparmorProfile: "acme",
    selinuxLabel: "system_u:system_r:svirt_lxc_net_t:s0",
  },
  mounts: [
    { destination: "/proc", type: "proc", source: "proc", options: ["ro"] },
    { destination: "/x", type: "bind", source: "/y", options: ["rbind"], uidMappings: MAP, gidMappings: MAP },
  ],
  hooks: {
    prestart: HOOK,
    createRuntime: HOOK,
    createContainer: HOOK,
    startContainer: HOOK,
    poststart: HOOK,
    poststop: HOOK,
  },
  annotations: { a: "b" },
  linux: {
    namespaces: [{ type: "network", path: "/ns" }, { type: "time" }],
    uidMappings: MAP,
    gidMappings: MAP,
    timeOffsets: { boottime: { secs: -1, nanosecs: 5 } },
    devices: [{ type: "c", path: "/dev/fuse", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0 }],
    netDevices: { eth1: { name: "eth0" }, eth2: {} },
    cgroupsPath: "/x/y",
    resources: {
      devices: [{ allow: false, type: "c", major: 1, minor: 3, access: "rw" }],
      memory: {
        limit: 5,
        reservation: 4,
        swap: -1,
        kernel: 1,
        kernelTCP: 2,
        swappiness: 0,
        disableOOMKiller: false,
        useHierarchy: true,
        checkBeforeUpdate: true,
      },
      cpu: {
        shares: 2,
        quota: -1,
        burst: 0,
        period: 1000,
        realtimeRuntime: 950_000,
        realtimePeriod: 1_000_000,
        cpus: "0",
        mems: "0",
        idle: 1,
      },
      pids: { limit: 1 },
      blockIO: {
        weight: 10,
        leafWeight: 10,
        weightDevice: [{ major: 8, minor: 0, weight: 500, leafWeight: 300 }],
        throttleReadBpsDevice: THROTTLE,
        throttleWriteBpsDevice: THROTTLE,
        throttleReadIOPSDevice: THROTTLE,
        throttleWriteIOPSDevice: THROTTLE,
      },
      hugepageLimits: [{ pageSize: "2MB", limit: 9 }],
      network: { classID: 1048577, priorities: [{ name: "eth0", priority: 500 }] },
      rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 } },
      unified: { "memory.high": "1" },
    },
    intelRdt: {
      closID: "guaranteed",
      schemata: ["L3:0=f", "MB:0=50"],
      l3CacheSchema: "L3:0=7f0;1=1f",
      memBwSchema: "MB:0=20;1=70",
      enableMonitoring: true,
    },
    memoryPolicy: { mode: "MPOL_INTERLEAVE", nodes: "0-1", flags: ["MPOL_F_STATIC_NODES"] },
    personality: { domain: "LINUX32", flags: [] },
    rootfsPropagation: "slave",
    sysctl: { "net.x": "1" },
    maskedPaths: ["/proc/kcore"],
    readonlyPaths: ["/proc/sys"],
    mountLabel: "system_u:object_r:svirt_sandbox_file_t:s0:c715,c811",
  },
};

Deno.test("parseConfig tells every field that has the wrong shape, at once", () => {
  const json = { process: { cwd: 5, env: [1, "A=1", 2], user: { uid: "0" } }, root: {}, linux: { sysctl: { a: 1 } } };
  const error = assertThrows(() => parseConfig(json), ShapeError);
  assertEquals(error.findings.map(({ path }) => path), [
    "ociVersion",
    "process.cwd",
    "process.env[0]",
    "process.env[2]",
    "process.user.uid",
    "root.path",
    'linux.sysctl["a"]',
  ]);
});

Deno.test("parseConfig reads the largest numbers of other languages as no limit, and refuses what it cannot count", () => {
  const text = (limit: string): string =>
    JSON.stringify({ ...LEAST, linux: { resources: { memory: { limit: 0 } } } }).replace(
      '"limit":0',
      `"limit":${limit}`,
    );
  for (const limit of ["9223372036854775807", "18446744073709551615", "-1"]) {
    assertEquals(parseConfigText(text(limit)).linux.resources?.memory, { limit: -1 });
  }
  assertThrows(() => parseConfigText(text("9007199254740993")), ShapeError, "linux.resources.memory.limit: needs");
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
