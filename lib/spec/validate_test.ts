import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import type { Config, IdMapping, Linux, MemoryPolicy, Process, Resources, Scheduler } from "./config.ts";
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
    [withLinux({ namespaces: [{ type: "mount", path: "/m" }, { type: "uts" }] }), "linux.namespaces[0].path"],
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

Deno.test("validateConfig names what of the policies of process and kernel cannot be", () => {
  const scheduler = (more: Partial<Scheduler>): Config =>
    withProcess({ scheduler: { policy: "SCHED_OTHER", ...more } });
  const policy = (more: Partial<MemoryPolicy>): Config => withLinux({ memoryPolicy: { mode: "MPOL_BIND", ...more } });
  const table: [Config, string][] = [
    [{ ...CONFIG, ociVersion: "2.0.0" }, "ociVersion"],
    [{ ...CONFIG, annotations: { "": "x" } }, "annotations"],
    [withProcess({ consoleSize: { height: 65_536, width: 0 } }), "process.consoleSize.height"],
    [scheduler({ policy: "SCHED_FAST" }), "process.scheduler.policy"],
    [scheduler({ flags: ["SCHED_FLAG_RECLAIM", "X"] }), "process.scheduler.flags[1]"],
    [scheduler({ nice: 20 }), "process.scheduler.nice"],
    [scheduler({ priority: 1 }), "process.scheduler.priority"],
    [scheduler({ policy: "SCHED_FIFO" }), "process.scheduler.priority"],
    [scheduler({ runtime: 5000 }), "process.scheduler.runtime"],
    [scheduler({ policy: "SCHED_DEADLINE", runtime: 5000, deadline: 4000 }), "process.scheduler.deadline"],
    [
      scheduler({ policy: "SCHED_DEADLINE", runtime: 5000, deadline: 6000, period: 5500 }),
      "process.scheduler.period",
    ],
    [withProcess({ ioPriority: { class: "BE" } }), "process.ioPriority.class"],
    [withProcess({ ioPriority: { class: "IOPRIO_CLASS_BE", priority: 8 } }), "process.ioPriority.priority"],
    [withProcess({ execCPUAffinity: { initial: "0-" } }), "process.execCPUAffinity.initial"],
    [withProcess({ execCPUAffinity: { final: "" } }), "process.execCPUAffinity.final"],
    [withProcess({ apparmorProfile: "a\nb" }), "process.apparmorProfile"],
    [withLinux({ mountLabel: 'a"b' }), "linux.mountLabel"],
    [policy({ mode: "BIND" }), "linux.memoryPolicy.mode"],
    [policy({}), "linux.memoryPolicy.nodes"],
    [policy({ nodes: "x" }), "linux.memoryPolicy.nodes"],
    [policy({ mode: "MPOL_LOCAL", nodes: "0" }), "linux.memoryPolicy.nodes"],
    [policy({ nodes: "0", flags: ["MPOL_F_X"] }), "linux.memoryPolicy.flags[0]"],
    [policy({ nodes: "0", flags: ["MPOL_F_STATIC_NODES", "MPOL_F_RELATIVE_NODES"] }), "linux.memoryPolicy.flags"],
    [withLinux({ personality: { domain: "BSD" } }), "linux.personality.domain"],
    [withLinux({ personality: { domain: "LINUX", flags: ["X"] } }), "linux.personality.flags[0]"],
    [withLinux({ rootfsPropagation: "own" }), "linux.rootfsPropagation"],
    [withLinux({ intelRdt: { closID: "../x" } }), "linux.intelRdt.closID"],
    [withLinux({ intelRdt: { schemata: ["L3:0=f", "L3"] } }), "linux.intelRdt.schemata[1]"],
    [withLinux({ intelRdt: { l3CacheSchema: "L3:0=f\nMB:0=1" } }), "linux.intelRdt.l3CacheSchema"],
    [withLinux({ intelRdt: { memBwSchema: "L3:0=f" } }), "linux.intelRdt.memBwSchema"],
    [withLinux({ netDevices: { "eth/0": {} } }), 'linux.netDevices["eth/0"]'],
    [withLinux({ netDevices: { eth0: { name: "x".repeat(16) } } }), 'linux.netDevices["eth0"].name'],
    [withLinux({ netDevices: { eth0: {}, eth1: { name: "eth0" } } }), 'linux.netDevices["eth1"]'],
    [
      withLinux({ namespaces: [{ type: "mount" }, { type: "uts" }], netDevices: { eth0: {} } }),
      'linux.netDevices["eth0"]',
    ],
    [
      withLinux({ namespaces: [...CONFIG.linux.namespaces, { type: "time" }], timeOffsets: { realtime: { secs: 1 } } }),
      'linux.timeOffsets["realtime"]',
    ],
  ];
  for (const [config, path] of table) assertEquals(validateConfig(config).map((found) => found.path), [path]);
});

Deno.test("validateConfig names what of limits, mounts, maps and hooks cannot be", () => {
  const resources = (resources: Resources): Config => withLinux({ resources });
  const map = (containerID: number, hostID: number, size: number) => ({ containerID, hostID, size });
  const inUser = (uidMappings: IdMapping[]): Config =>
    withLinux({
      namespaces: [...CONFIG.linux.namespaces, { type: "user" }],
      uidMappings,
      gidMappings: [map(0, 1000, 10)],
    });
  const bind = { destination: "/x", type: "bind", source: "/y" };
  const table: [Config, string][] = [
    [resources({ memory: { swap: 5 } }), "linux.resources.memory.swap"],
    [resources({ memory: { kernelTCP: -2 } }), "linux.resources.memory.kernelTCP"],
    [resources({ cpu: { burst: 5 } }), "linux.resources.cpu.burst"],
    [resources({ cpu: { idle: 2 } }), "linux.resources.cpu.idle"],
    [resources({ cpu: { quota: -5 } }), "linux.resources.cpu.quota"],
    [resources({ cpu: { realtimeRuntime: -2 } }), "linux.resources.cpu.realtimeRuntime"],
    [resources({ blockIO: { leafWeight: 1001 } }), "linux.resources.blockIO.leafWeight"],
    [resources({ blockIO: { weightDevice: [{ major: 8, minor: 0 }] } }), "linux.resources.blockIO.weightDevice[0]"],
    [
      resources({ blockIO: { throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: -2 }] } }),
      "linux.resources.blockIO.throttleWriteIOPSDevice[0].rate",
    ],
    [resources({ hugepageLimits: [{ pageSize: "2M", limit: 0 }] }), "linux.resources.hugepageLimits[0].pageSize"],
    [
      resources({ hugepageLimits: [{ pageSize: "2MB", limit: 0 }, { pageSize: "2MB", limit: 0 }] }),
      "linux.resources.hugepageLimits[1].pageSize",
    ],
    [resources({ network: { classID: 2 ** 32 } }), "linux.resources.network.classID"],
    [
      resources({ network: { priorities: [{ name: "a b", priority: 1 }] } }),
      "linux.resources.network.priorities[0].name",
    ],
    [resources({ rdma: { mlx: { hcaHandles: -1 } } }), 'linux.resources.rdma["mlx"].hcaHandles'],
    [resources({ unified: { "../memory.max": "1" } }), 'linux.resources.unified["../memory.max"]'],
    [resources({ unified: { "cgroup.procs": "1" } }), 'linux.resources.unified["cgroup.procs"]'],
    [resources({ devices: [{ allow: true, major: 4096 }] }), "linux.resources.devices[0].major"],
    [withLinux({ devices: [{ type: "p", path: "/dev/x", fileMode: -1 }] }), "linux.devices[0].fileMode"],
    [inUser([map(0, 1000, 0), map(0, 1000, 1)]), "linux.uidMappings[0].size"],
    [inUser([map(0, 1000, 10), map(20, 1005, 10)]), "linux.uidMappings[1]"],
    [inUser([map(0, 2 ** 32 - 5, 10)]), "linux.uidMappings[0].size"],
    [{ ...CONFIG, mounts: [{ destination: "/t", type: "tmpfs", options: ["idmap"] }] }, "mounts[0]"],
    [{ ...CONFIG, mounts: [{ ...bind, options: ["ridmap"] }] }, "mounts[0].uidMappings"],
    [{ ...CONFIG, mounts: [{ ...bind, uidMappings: [map(0, 1, 1)] }] }, "mounts[0].gidMappings"],
    [{ ...CONFIG, hooks: { poststop: [{ path: "hook" }] } }, "hooks.poststop[0].path"],
    [{ ...CONFIG, hooks: { prestart: [{ path: "/h", timeout: 0 }] } }, "hooks.prestart[0].timeout"],
    [{ ...CONFIG, hooks: { poststart: [{ path: "/h", env: ["A=1", "B"] }] } }, "hooks.poststart[0].env[1]"],
  ];
  for (const [config, path] of table) {
    assertEquals(new Set(validateConfig(config).map((found) => found.path)).has(path), true, path);
  }
});

Deno.test("validateConfig takes what the specification's own examples say", () => {
  const process = {
    scheduler: { policy: "SCHED_FIFO", priority: 10, flags: ["SCHED_FLAG_RESET_ON_FORK"] },
    ioPriority: { class: "IOPRIO_CLASS_IDLE", priority: 4 },
    execCPUAffinity: { initial: "7", final: "0-3,7" },
  };
  const linux: Partial<Linux> = {
    intelRdt: { closID: "guaranteed_group", l3CacheSchema: "L3:0=7f0;1=1f", memBwSchema: "MB:0=20;1=70" },
    memoryPolicy: { mode: "MPOL_INTERLEAVE", nodes: "2-3", flags: ["MPOL_F_STATIC_NODES"] },
    personality: { domain: "LINUX32" },
    netDevices: { eth0: { name: "container_eth0" }, ens4: {} },
    rootfsPropagation: "rslave",
    resources: { unified: { "memory.oom.group": "1", "hugetlb.1GB.max": "1073741824" } },
  };
  assertEquals(validateConfig(withProcess(process)), []);
  assertEquals(validateConfig(withLinux(linux)), []);
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
