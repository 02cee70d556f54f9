import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import type { Config, Linux, Process } from "./config.ts";
import { checkConfig, validateConfig } from "./validate.ts";

const CONFIG: Config = {
  ociVersion: "1.3.0",
  process: { cwd: "/", env: ["PATH=/bin"], args: ["sh"], user: { uid: 0, gid: 0 } },
  root: { path: "/rootfs" },
  hostname: "box",
  mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
  annotations: {},
  linux: { namespaces: [{ type: "mount" }, { type: "pid" }, { type: "uts" }, { type: "network" }, { type: "ipc" }] },
};

function withProcess(process: Partial<Process>): Config {
  return { ...CONFIG, process: { ...CONFIG.process, ...process } };
}

function withLinux(linux: Partial<Linux>): Config {
  return { ...CONFIG, linux: { ...CONFIG.linux, ...linux } };
}

Deno.test("validateConfig finds nothing wrong with a plain Config", () => {
  assertEquals(validateConfig(CONFIG), []);
  assertEquals(checkConfig(CONFIG), CONFIG);
});

Deno.test("validateConfig names the path of each value that cannot be", () => {
  const table: [Config, string][] = [
    [{ ...CONFIG, root: { path: "rootfs" } }, "root.path"],
    [withProcess({ cwd: "tmp" }), "process.cwd"],
    [withProcess({ args: [] }), "process.args"],
    [withProcess({ env: ["A=1", "B"] }), "process.env[1]"],
    [withProcess({ env: ["=1"] }), "process.env[0]"],
    [withProcess({ args: ["sh", "a\0b"] }), "process.args[1]"],
    [withProcess({ user: { uid: 2 ** 32 - 1, gid: 0 } }), "process.user.uid"],
    [withProcess({ user: { uid: 0, gid: -1 } }), "process.user.gid"],
    [withProcess({ user: { uid: 0, gid: 0, additionalGids: [1, 1.5] } }), "process.user.additionalGids[1]"],
    [withProcess({ user: { uid: 0, gid: 0, umask: 0o1000 } }), "process.user.umask"],
    [withProcess({ oomScoreAdj: 1001 }), "process.oomScoreAdj"],
    [withProcess({ capabilities: { bounding: ["CAP_CHOWN", "CHOWN"] } }), "process.capabilities.bounding[1]"],
    [
      withProcess({ capabilities: { ambient: ["CAP_CHOWN"], permitted: ["CAP_CHOWN"] } }),
      "process.capabilities.ambient",
    ],
    [withProcess({ rlimits: [{ type: "RLIMIT_FOO", soft: 1, hard: 1 }] }), "process.rlimits[0].type"],
    [withProcess({ rlimits: [{ type: "RLIMIT_CPU", soft: 2, hard: 1 }] }), "process.rlimits[0].soft"],
    [withProcess({ rlimits: [{ type: "RLIMIT_CPU", soft: -1, hard: 1 }] }), "process.rlimits[0].soft"],
    [
      withProcess({ rlimits: [{ type: "RLIMIT_CPU", soft: 1, hard: 1 }, { type: "RLIMIT_CPU", soft: 1, hard: 1 }] }),
      "process.rlimits[1].type",
    ],
    [{ ...CONFIG, hostname: "x".repeat(65) }, "hostname"],
    [{ ...CONFIG, mounts: [{ destination: "proc" }] }, "mounts[0].destination"],
    [{ ...CONFIG, mounts: [{ destination: "/a/../../b" }] }, "mounts[0].destination"],
    [{ ...CONFIG, mounts: [{ destination: "//." }] }, "mounts[0].destination"],
    [{ ...CONFIG, mounts: [{ destination: "/a", options: ["rbind"], source: "rel" }] }, "mounts[0].source"],
    [withLinux({ namespaces: [...CONFIG.linux.namespaces, { type: "pid" }] }), "linux.namespaces[5]"],
    [withLinux({ namespaces: CONFIG.linux.namespaces.filter(({ type }) => type !== "mount") }), "linux.namespaces"],
    [
      withLinux({ namespaces: [{ type: "mount" }, { type: "uts" }, { type: "network", path: "ns/net" }] }),
      "linux.namespaces[2].path",
    ],
    [withLinux({ namespaces: CONFIG.linux.namespaces.filter(({ type }) => type !== "uts") }), "hostname"],
    [withLinux({ namespaces: [...CONFIG.linux.namespaces, { type: "user" }] }), "linux.uidMappings"],
    [withLinux({ uidMappings: [{ containerID: 0, hostID: 0, size: 1 }] }), "linux.uidMappings"],
    [withLinux({ timeOffsets: { monotonic: { secs: 1 } } }), "linux.timeOffsets"],
    [withLinux({ sysctl: { "kernel.panic": "1" } }), 'linux.sysctl["kernel.panic"]'],
    [withLinux({ sysctl: { "kernel.hostname": "x" } }), 'linux.sysctl["kernel.hostname"]'],
    [withLinux({ sysctl: { "vm/overcommit_memory": "1" } }), 'linux.sysctl["vm/overcommit_memory"]'],
    [withLinux({ sysctl: { "net.ipv4/../../kernel/panic": "1" } }), 'linux.sysctl["net.ipv4/../../kernel/panic"]'],
    [withLinux({ sysctl: { "net/../kernel/panic": "1" } }), 'linux.sysctl["net/../kernel/panic"]'],
    [withLinux({ sysctl: { "net.//.kernel.panic": "1" } }), 'linux.sysctl["net.//.kernel.panic"]'],
    [withLinux({ sysctl: { "net": "1" } }), 'linux.sysctl["net"]'],
    [withLinux({ sysctl: { "net..x": "1" } }), 'linux.sysctl["net..x"]'],
    [withLinux({ cgroupsPath: "/a/../b" }), "linux.cgroupsPath"],
    [withLinux({ devices: [{ type: "x", path: "/dev/x", major: 1, minor: 1 }] }), "linux.devices[0].type"],
    [withLinux({ devices: [{ type: "c", path: "/dev/x" }] }), "linux.devices[0]"],
    [withLinux({ devices: [{ type: "p", path: "x" }] }), "linux.devices[0].path"],
    [withLinux({ maskedPaths: ["proc/kcore"] }), "linux.maskedPaths[0]"],
    [withLinux({ readonlyPaths: ["proc"] }), "linux.readonlyPaths[0]"],
    [withLinux({ resources: { memory: { limit: 100, swap: 50 } } }), "linux.resources.memory.swap"],
    [withLinux({ resources: { memory: { limit: -2 } } }), "linux.resources.memory.limit"],
    [withLinux({ resources: { memory: { swappiness: 101 } } }), "linux.resources.memory.swappiness"],
    [withLinux({ resources: { cpu: { shares: 300000 } } }), "linux.resources.cpu.shares"],
    [withLinux({ resources: { cpu: { quota: 10 } } }), "linux.resources.cpu.quota"],
    [withLinux({ resources: { cpu: { cpus: "1-" } } }), "linux.resources.cpu.cpus"],
    [withLinux({ resources: { pids: { limit: 0.5 } } }), "linux.resources.pids.limit"],
    [withLinux({ resources: { blockIO: { weight: 5 } } }), "linux.resources.blockIO.weight"],
    [withLinux({ resources: { devices: [{ allow: true, access: "rx" }] } }), "linux.resources.devices[0].access"],
  ];
  for (const [config, path] of table) assertEquals(validateConfig(config).map((found) => found.path), [path]);
});

Deno.test("validateConfig lets settings of the container's own namespaces pass, and only those", () => {
  const sysctl = {
    "net.ipv4.ip_forward": "1",
    "kernel.shmmax": "1",
    "fs.mqueue.msg_max": "5",
    "net/ipv4/conf/eth0.1/forwarding": "1",
  };
  assertEquals(validateConfig(withLinux({ sysctl })), []);
  const shared = { ...withLinux({ sysctl, namespaces: [{ type: "mount" }, { type: "uts" }] }) };
  assertEquals(validateConfig(shared).map((found) => found.problem), [
    "it would change the host's network",
    "it would change the host's IPC",
    "it would change the host's IPC",
    "it would change the host's network",
  ]);
});

Deno.test("validateConfig wants the process's ids in the maps", () => {
  const map = [{ containerID: 0, hostID: 1000, size: 10 }];
  const linux = {
    namespaces: [...CONFIG.linux.namespaces, { type: "user" as const }],
    uidMappings: map,
    gidMappings: map,
  };
  const config = {
    ...withLinux(linux),
    process: { ...CONFIG.process, user: { uid: 10, gid: 9, additionalGids: [11] } },
  };
  assertEquals(validateConfig(config).map((found) => found.path), [
    "process.user.uid",
    "process.user.additionalGids[0]",
  ]);
});

Deno.test("checkConfig tells every finding at once", () => {
  const error = assertThrows(() => checkConfig(withProcess({ cwd: "x", args: [] })), PaddockError);
  assertStringIncludes(error.message, "process.cwd: 'x' is not absolute");
  assertStringIncludes(error.message, "process.args: there is no command");
});
