import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import type { CgroupFacts, Facts } from "../host/facts.ts";
import type { Act, Step } from "../program/step.ts";
import type { Resources } from "../spec/config.ts";
import type { CgroupActs } from "./acts.ts";
import { planDisabled } from "./disabled.ts";
import { planCgroup } from "./plan.ts";
import { viewMounts } from "./view.ts";

const MIB = 1024 ** 2;
const ROOT = "/sys/fs/cgroup";

/** A host of these cgroups; of the other facts, only those that this stage looks at. */
function host(cgroup: CgroupFacts, more: Partial<Facts> = {}): Facts {
  return { cgroup, version: [6, 12, 0], swapTotal: 1024 * MIB, has: { bpf_cgroup_device: true }, ...more } as Facts;
}

const V2_HOST = host({
  controllers: Object.fromEntries(
    ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"].map((name) => [name, {
      version: 2,
      mount: ROOT,
      self: "/user.slice",
      ...(name === "memory" ? { swap: true } : {}),
    }]),
  ),
  unified: { mount: ROOT, self: "/user.slice" },
  systemd: true,
});

function v1Controllers(names: readonly string[], swap = true): CgroupFacts["controllers"] {
  return Object.fromEntries(names.map((name) => {
    const joint = name === "cpu" || name === "cpuacct" ? ["cpu", "cpuacct"] : [name];
    const mount = `${ROOT}/${joint.join(",")}`;
    return [name, { version: 1, mount, self: "/", joint, ...(name === "memory" ? { swap } : {}) }];
  }));
}

const V1_NAMES = ["cpuset", "cpu", "cpuacct", "memory", "blkio", "pids", "devices", "freezer", "hugetlb"];
const V1_HOST = host({ controllers: v1Controllers(V1_NAMES), systemd: true });

const UNIFIED = { mount: `${ROOT}/unified`, self: "/" };
const HYBRID_HOST = host({
  controllers: { ...v1Controllers(V1_NAMES), pids: { version: 2, ...UNIFIED } },
  unified: UNIFIED,
  systemd: false,
});

function plan(resources: Resources, facts: Facts, more: { parent?: string; oomGroup?: boolean } = {}): CgroupActs {
  return planCgroup({ name: "paddock/web", resources, ...more }, facts);
}

/** What is written where, in order: "memory.max=100" with the container's directory left out. */
function listWrites(acts: readonly Act[], directory: string): string[] {
  const writes: string[] = [];
  for (const { steps } of acts) {
    let path = "";
    for (const { call, args } of steps) {
      if (call === "openat") path = (args[1] as { text: string }).text;
      if (call === "write" && path.startsWith(`${directory}/`)) {
        writes.push(`${path.slice(directory.length + 1)}=${(args[1] as { text?: string }).text ?? "(copied)"}`);
      }
    }
  }
  return writes;
}

function faultOf(resources: Resources, facts: Facts, more: { parent?: string; oomGroup?: boolean } = {}): string {
  return assertThrows(() => plan(resources, facts, more), PaddockError).message;
}

function allSteps({ create, join, remove }: CgroupActs): Step[] {
  return [...create, ...join, ...remove].flatMap(({ steps }) => steps);
}

Deno.test("planCgroup joins one directory in v2, by cgroup.procs, and removes it", () => {
  const acts = plan({}, V2_HOST);
  assertEquals(acts.paths, [`${ROOT}/paddock/web`]);
  assertEquals(acts.unified, `${ROOT}/paddock/web`);
  assertEquals(acts.join.flatMap(({ shell }) => shell), [`echo $$ > ${ROOT}/paddock/web/cgroup.procs`]);
  assertEquals(acts.remove.flatMap(({ shell }) => shell), [`rmdir ${ROOT}/paddock/web`]);
  assertEquals(acts.remove[0]?.steps[0]?.onNegative, "leftovers");
  assert(acts.confinesDevices);
});

Deno.test("planCgroup joins in v1 what confines, counts, lists and freezes, by tasks, and no more", () => {
  const acts = plan({}, V1_HOST);
  const names = ["devices", "memory", "freezer", "pids", "cpu,cpuacct"];
  assertEquals(acts.paths, names.map((name) => `${ROOT}/${name}/paddock/web`));
  assertEquals(acts.join.map(({ shell }) => shell[0]), acts.paths.map((path) => `echo $$ > ${path}/tasks`));
  assertEquals(acts.unified, undefined);
  assert(acts.confinesDevices);
});

Deno.test("planCgroup puts each controller of a hybrid host where it is served", () => {
  const acts = plan({ memory: { limit: 100 * MIB }, pids: { limit: 10 } }, HYBRID_HOST);
  assertEquals(listWrites(acts.create, `${ROOT}/memory/paddock/web`), [`memory.limit_in_bytes=${100 * MIB}`]);
  assertEquals(listWrites(acts.create, `${ROOT}/unified/paddock/web`), ["pids.max=10"]);
  assert(acts.paths.includes(`${ROOT}/devices/paddock/web`));
  assertEquals(acts.create.flatMap(({ steps }) => steps).some(({ call }) => call === "bpf"), false);
});

Deno.test("planCgroup leaves the unified hierarchy of a hybrid host alone where nothing needs it", () => {
  assertEquals(plan({}, HYBRID_HOST).unified, undefined);
});

Deno.test("planCgroup writes v1's memory limit before memory and swap", () => {
  const memory = { limit: 100 * MIB, swap: 150 * MIB, reservation: 50 * MIB, swappiness: 0, disableOOMKiller: true };
  assertEquals(listWrites(plan({ memory }, V1_HOST).create, `${ROOT}/memory/paddock/web`), [
    `memory.limit_in_bytes=${100 * MIB}`,
    `memory.memsw.limit_in_bytes=${150 * MIB}`,
    `memory.soft_limit_in_bytes=${50 * MIB}`,
    "memory.swappiness=0",
    "memory.oom_control=1",
  ]);
});

Deno.test("planCgroup writes v2's swap limit as swap alone, and max for no limit", () => {
  const writes = (memory: Resources["memory"]): string[] =>
    listWrites(plan({ memory: memory! }, V2_HOST).create, `${ROOT}/paddock/web`);
  const limit = 100 * MIB;
  assertEquals(writes({ limit, swap: 150 * MIB, reservation: 50 * MIB }), [
    `memory.max=${limit}`,
    `memory.swap.max=${50 * MIB}`,
    `memory.low=${50 * MIB}`,
  ]);
  assertEquals(writes({ limit, swap: limit }), [`memory.max=${limit}`, "memory.swap.max=0"]);
  assertEquals(writes({ limit, swap: -1 }), [`memory.max=${limit}`, "memory.swap.max=max"]);
  assertEquals(writes({ limit: -1 }), ["memory.max=max"]);
});

Deno.test("planCgroup limits processors in both versions", () => {
  const cpu = { shares: 512, quota: 150_000, period: 100_000, burst: 10_000, idle: 0, cpus: "0-1", mems: "0" };
  assertEquals(listWrites(plan({ cpu }, V2_HOST).create, `${ROOT}/paddock/web`), [
    "cpu.weight=59",
    "cpu.max=150000 100000",
    "cpu.max.burst=10000",
    "cpu.idle=0",
    "cpuset.cpus=0-1",
    "cpuset.mems=0",
  ]);
  const v1 = plan({ cpu }, V1_HOST);
  assertEquals(listWrites(v1.create, `${ROOT}/cpu,cpuacct/paddock/web`), [
    "cpu.shares=512",
    "cpu.cfs_period_us=100000",
    "cpu.cfs_quota_us=150000",
    "cpu.cfs_burst_us=10000",
    "cpu.idle=0",
  ]);
  assertEquals(listWrites(plan({ cpu: { quota: -1 } }, V2_HOST).create, `${ROOT}/paddock/web`), ["cpu.max=max 100000"]);
});

Deno.test("planCgroup fills v1's cpuset from its parent, level by level, before it narrows it", () => {
  const acts = plan({ cpu: { cpus: "1" } }, V1_HOST, { parent: "/batch" });
  const writes = listWrites(acts.create, `${ROOT}/cpuset`);
  assertEquals(writes, [
    "batch/cpuset.cpus=(copied)",
    "batch/cpuset.mems=(copied)",
    "batch/paddock/cpuset.cpus=(copied)",
    "batch/paddock/cpuset.mems=(copied)",
    "batch/paddock/web/cpuset.cpus=(copied)",
    "batch/paddock/web/cpuset.mems=(copied)",
    "batch/paddock/web/cpuset.cpus=1",
  ]);
  assert(Object.keys(acts.regions).length === 1);
});

Deno.test("planCgroup limits disks in both versions", () => {
  const blockIO = {
    weight: 500,
    weightDevice: [{ major: 8, minor: 0, weight: 100 }],
    throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 1024 }, { major: 8, minor: 16, rate: 2048 }],
    throttleWriteIOPSDevice: [{ major: 8, minor: 0, rate: 10 }],
  };
  assertEquals(listWrites(plan({ blockIO }, V2_HOST).create, `${ROOT}/paddock/web`), [
    "io.bfq.weight=500",
    "io.weight=4950",
    "io.bfq.weight=8:0 100",
    "io.weight=8:0 910",
    "io.max=8:0 rbps=1024 wiops=10",
    "io.max=8:16 rbps=2048",
  ]);
  assertEquals(listWrites(plan({ blockIO }, V1_HOST).create, `${ROOT}/blkio/paddock/web`), [
    "blkio.bfq.weight=500",
    "blkio.weight=500",
    "blkio.bfq.weight_device=8:0 100",
    "blkio.weight_device=8:0 100",
    "blkio.throttle.read_bps_device=8:0 1024",
    "blkio.throttle.read_bps_device=8:16 2048",
    "blkio.throttle.write_iops_device=8:0 10",
  ]);
});

Deno.test("planCgroup writes -1 processes as no limit, 0 as no other than the first, and nothing where none is given", () => {
  const table: [number | undefined, string[]][] = [[-1, ["pids.max=max"]], [0, ["pids.max=1"]], [7, ["pids.max=7"]]];
  for (const [limit, writes] of [...table, [undefined, []] as [undefined, string[]]]) {
    const pids = limit === undefined ? {} : { limit };
    assertEquals(listWrites(plan({ pids }, V2_HOST).create, `${ROOT}/paddock/web`), writes);
    assertEquals(listWrites(plan({ pids }, V1_HOST).create, `${ROOT}/pids/paddock/web`), writes);
  }
});

const NETWORK = { classID: 1_048_577, priorities: [{ name: "eth0", priority: 5 }, { name: "lo", priority: 1 }] };

Deno.test("planCgroup marks packets by v1, and refuses that where v1 has no controller for it", () => {
  const facts = host({ controllers: v1Controllers([...V1_NAMES, "net_cls", "net_prio"]), systemd: true });
  const { create } = plan({ network: NETWORK }, facts);
  assertEquals(listWrites(create, `${ROOT}/net_cls/paddock/web`), ["net_cls.classid=1048577"]);
  assertEquals(listWrites(create, `${ROOT}/net_prio/paddock/web`), [
    "net_prio.ifpriomap=eth0 5",
    "net_prio.ifpriomap=lo 1",
  ]);
  for (const facts of [V1_HOST, V2_HOST]) {
    const fault = faultOf({ network: NETWORK }, facts);
    assertStringIncludes(fault, "linux.resources.network.classID");
    assertStringIncludes(fault, "linux.resources.network.priorities");
  }
});

Deno.test("planCgroup limits RDMA devices in both versions, a line for each", () => {
  const rdma = { mlx4_0: { hcaHandles: 3, hcaObjects: 4 }, mlx5_1: { hcaObjects: 10 }, mlx5_2: {} };
  const lines = ["rdma.max=mlx4_0 hca_handle=3 hca_object=4", "rdma.max=mlx5_1 hca_object=10"];
  const { controllers } = V2_HOST.cgroup;
  const current = host({ ...V2_HOST.cgroup, controllers: { ...controllers, rdma: controllers["memory"]! } });
  assertEquals(listWrites(plan({ rdma }, current).create, `${ROOT}/paddock/web`), lines);
  const old = host({ controllers: v1Controllers([...V1_NAMES, "rdma"]), systemd: true });
  assertEquals(listWrites(plan({ rdma }, old).create, `${ROOT}/rdma/paddock/web`), lines);
  assertStringIncludes(faultOf({ rdma }, V2_HOST), "linux.resources.rdma");
});

Deno.test("planCgroup writes what v1 alone has, and refuses it in v2 by its field", () => {
  const cpu = { realtimePeriod: 1_000_000, realtimeRuntime: 950_000 };
  const memory = { kernel: 10 * MIB, kernelTCP: 20 * MIB };
  const blockIO = { leafWeight: 100, weightDevice: [{ major: 8, minor: 0, leafWeight: 200 }] };
  const { create } = plan({ cpu, memory, blockIO }, V1_HOST);
  assertEquals(listWrites(create, `${ROOT}/cpu,cpuacct/paddock/web`), [
    "cpu.rt_period_us=1000000",
    "cpu.rt_runtime_us=950000",
  ]);
  assertEquals(listWrites(create, `${ROOT}/memory/paddock/web`), [
    `memory.kmem.limit_in_bytes=${10 * MIB}`,
    `memory.kmem.tcp.limit_in_bytes=${20 * MIB}`,
  ]);
  assertEquals(listWrites(create, `${ROOT}/blkio/paddock/web`), [
    "blkio.leaf_weight=100",
    "blkio.leaf_weight_device=8:0 200",
  ]);
  const fault = faultOf({ cpu, memory, blockIO }, V2_HOST);
  const fields = [
    "cpu.realtimeRuntime",
    "cpu.realtimePeriod",
    "memory.kernel",
    "memory.kernelTCP",
    "blockIO.leafWeight",
  ];
  for (const field of fields) assertStringIncludes(fault, `linux.resources.${field}:`);
});

Deno.test("planCgroup writes what is not limited in the words of each version", () => {
  const resources = {
    hugepageLimits: [{ pageSize: "2MB", limit: -1 }],
    blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: -1 }] },
  };
  assertEquals(listWrites(plan(resources, V2_HOST).create, `${ROOT}/paddock/web`), [
    "io.max=8:0 rbps=max",
    "hugetlb.2MB.max=max",
    "hugetlb.2MB.rsvd.max=max",
  ]);
  const { create } = plan(resources, V1_HOST);
  assertEquals(listWrites(create, `${ROOT}/hugetlb/paddock/web`)[0], "hugetlb.2MB.limit_in_bytes=-1");
  assertEquals(listWrites(create, `${ROOT}/blkio/paddock/web`), ["blkio.throttle.read_bps_device=8:0 0"]);
});

Deno.test("planCgroup limits huge pages, and their reservations where the kernel counts them", () => {
  const resources = { hugepageLimits: [{ pageSize: "2MB", limit: 4 * MIB }] };
  const acts = plan(resources, V2_HOST);
  assertEquals(listWrites(acts.create, `${ROOT}/paddock/web`), [
    `hugetlb.2MB.max=${4 * MIB}`,
    `hugetlb.2MB.rsvd.max=${4 * MIB}`,
  ]);
  const reserved = allSteps(acts).find(({ args }) => JSON.stringify(args).includes("rsvd"));
  assert(reserved?.onNegative !== undefined);
});

Deno.test("planCgroup enables controllers from v2's mount point down, each by a write of its own", () => {
  const acts = plan({ cpu: { shares: 512 }, memory: { limit: 100 * MIB } }, V2_HOST, { parent: "/batch" });
  const enabled = listWrites(acts.create, ROOT).filter((line) => line.includes("subtree_control"));
  const each = (directory: string): string[] =>
    ["memory", "cpu", "pids"].map((name) => `${directory}cgroup.subtree_control=+${name}`);
  assertEquals(enabled, [...each(""), ...each("batch/"), ...each("batch/paddock/")]);
});

Deno.test("planCgroup lets v2 refuse a controller that no limit depends on, and no other", () => {
  const { create } = plan({ memory: { limit: 100 * MIB } }, V2_HOST);
  const enable = (name: string): Act => create.find(({ what }) => what.startsWith(`enable the ${name} `))!;
  assert(enable("memory").steps.every(({ onNegative }) => onNegative === undefined));
  assert(enable("pids").steps.every(({ onNegative }) => onNegative !== undefined));
});

Deno.test("planCgroup makes no directory twice by chance: the container's own must be new", () => {
  const { create } = plan({}, V1_HOST);
  const steps = create[0]!.steps;
  assertEquals(steps[0]?.onZero, "end");
  const last = steps.at(-1)!;
  assertEquals(last.args[1], { text: create[0]!.shell.at(-1)!.replace("mkdir ", "") });
  assertEquals(last.onNegative, undefined);
});

Deno.test("planCgroup's labels are unique, and every jump has its target", () => {
  const everything: Resources = {
    memory: { limit: 100 * MIB, swap: 100 * MIB },
    cpu: { quota: 50_000, cpus: "0", mems: "0" },
    pids: { limit: 5 },
    blockIO: { weight: 100, weightDevice: [{ major: 8, minor: 0, weight: 100 }] },
    hugepageLimits: [{ pageSize: "2MB", limit: 0 }, { pageSize: "1GB", limit: 0 }],
  };
  for (const facts of [V1_HOST, V2_HOST, HYBRID_HOST]) {
    for (const parent of ["/", "/batch/night"]) {
      const steps = allSteps(plan(everything, facts, { parent }));
      const labels = steps.flatMap(({ label }) => label ?? []);
      assertEquals(new Set(labels).size, labels.length);
      const known = new Set([...labels, "next", "end", "leftovers"]);
      for (const { onNegative = "next", onZero = "next", onPositive = "next" } of steps) {
        for (const target of [onNegative, onZero, onPositive]) assert(known.has(target), target);
      }
    }
  }
});

Deno.test("planCgroup confines devices in v1 by writing the default, then each exception", () => {
  const devices = [{ allow: true, type: "c", major: 10, minor: 200, access: "rw" }];
  const writes = listWrites(plan({ devices }, V1_HOST).create, `${ROOT}/devices/paddock/web`);
  assertEquals(writes.slice(0, 4), [
    "devices.deny=a",
    "devices.allow=c 10:200 rw",
    "devices.allow=c *:* m",
    "devices.allow=b *:* m",
  ]);
});

Deno.test("planCgroup confines devices in v2 by a program, and not at all where all is allowed", () => {
  const calls = (resources: Resources, facts: Facts = V2_HOST): string[] =>
    plan(resources, facts).create.flatMap(({ steps }) => steps).map(({ call }) => call);
  assertEquals(calls({}).filter((call) => call === "bpf").length, 2);
  assert(!calls({}).includes("prlimit64"));
  assert(calls({}, { ...V2_HOST, version: [5, 10, 0] }).includes("prlimit64"));
  assert(!calls({ devices: [{ allow: true }] }).includes("bpf"));
});

Deno.test("planCgroup says where nothing confines devices, and refuses rules that were asked for there", () => {
  const facts = { ...V2_HOST, has: { ...V2_HOST.has, bpf_cgroup_device: false } };
  assertEquals(plan({}, facts).confinesDevices, false);
  assertStringIncludes(faultOf({ devices: [{ allow: true, type: "b", major: 8 }] }, facts), "device rules");
});

Deno.test("planCgroup freezes by cgroup.freeze in v2 and by freezer.state in v1", () => {
  const path = (steps: readonly Step[] | undefined): unknown => steps?.[0]?.args[1];
  assertEquals(path(plan({}, V2_HOST).freeze), { text: `${ROOT}/paddock/web/cgroup.freeze` });
  assertEquals(path(plan({}, V1_HOST).thaw), { text: `${ROOT}/freezer/paddock/web/freezer.state` });
  for (const facts of [V1_HOST, V2_HOST]) {
    assert(plan({}, facts).freeze?.every(({ onNegative }) => onNegative === "next"));
  }
});

Deno.test("planCgroup is the null object where there are no cgroups, and a fault where a limit was asked for", () => {
  const none = host({ controllers: {}, systemd: false });
  const acts = plan({}, none);
  assertEquals([acts.create, acts.join, acts.remove, acts.paths], [[], [], [], []]);
  assertEquals([acts.freeze, acts.confinesDevices], [undefined, false]);
  assertStringIncludes(faultOf({ memory: { limit: 100 * MIB } }, none), "no cgroup hierarchy is mounted");
});

Deno.test("planCgroup names every controller that is missing, at once, with the flags that asked", () => {
  const facts = host({ controllers: v1Controllers(["devices", "freezer"]), systemd: false });
  const message = faultOf({ memory: { limit: 100 * MIB }, pids: { limit: 5 }, cpu: { cpus: "0" } }, facts);
  for (const words of ["--memory", "cgroup_enable=memory", "--pids-limit", "--cpuset-cpus", "mount -t cgroup"]) {
    assertStringIncludes(message, words);
  }
});

Deno.test("planCgroup refuses a swap limit where swap is not counted, unless there is none", () => {
  const limit = 100 * MIB;
  const uncounted = { ...V1_HOST, cgroup: { ...V1_HOST.cgroup, controllers: v1Controllers(V1_NAMES, false) } };
  assertStringIncludes(faultOf({ memory: { limit, swap: limit } }, uncounted), "swapaccount=1");
  const swapless = { ...uncounted, swapTotal: 0 };
  const acts = plan({ memory: { limit, swap: limit } }, swapless);
  assertEquals(listWrites(acts.create, `${ROOT}/memory/paddock/web`), [`memory.limit_in_bytes=${limit}`]);
  assertStringIncludes(faultOf({ memory: { limit, swap: 2 * limit } }, swapless), "swapaccount=1");
  assertEquals(plan({ memory: { limit, swap: -1 } }, uncounted).paths.length, 5);
});

Deno.test("planCgroup refuses in v2 what only v1 has, and in v1 what only v2 has", () => {
  assertStringIncludes(faultOf({ memory: { swappiness: 10 } }, V2_HOST), "--memory-swappiness");
  assertStringIncludes(faultOf({ memory: { disableOOMKiller: true } }, V2_HOST), "--oom-kill-disable");
  assertStringIncludes(faultOf({ unified: { "memory.high": "1" } }, V1_HOST), "memory.high");
  assertStringIncludes(faultOf({}, V1_HOST, { oomGroup: true }), "memory.oom.group");
});

Deno.test("planCgroup writes raw files of v2 line by line, and memory.oom.group where asked", () => {
  const acts = plan({ unified: { "io.max": "8:0 rbps=1\n8:16 rbps=2" } }, V2_HOST, { oomGroup: true });
  assertEquals(listWrites(acts.create, `${ROOT}/paddock/web`), [
    "memory.oom.group=1",
    "io.max=8:0 rbps=1",
    "io.max=8:16 rbps=2",
  ]);
});

Deno.test("planCgroup refuses nonsense before it looks at the host, and a parent that leads elsewhere", () => {
  assertStringIncludes(faultOf({ memory: { limit: 10 } }, host({ controllers: {}, systemd: false })), "too little");
  for (const parent of ["../x", "/a/../../b", "/a/./b"]) {
    assertStringIncludes(faultOf({}, V2_HOST, { parent }), "no name of a cgroup");
  }
  assertEquals(plan({}, V2_HOST, { parent: "batch//night/" }).paths, [`${ROOT}/batch/night/paddock/web`]);
});

Deno.test("viewMounts shows one filesystem for v2, and joined hierarchies with links for v1", () => {
  assertEquals(viewMounts(V2_HOST, plan({}, V2_HOST)), { kind: "cgroup2" });
  assertEquals(viewMounts(V1_HOST, plan({}, V1_HOST)), {
    kind: "tmpfs+v1",
    entries: [
      { directory: "cpu,cpuacct", type: "cgroup", options: "cpu,cpuacct" },
      { directory: "memory", type: "cgroup", options: "memory" },
      { directory: "pids", type: "cgroup", options: "pids" },
      { directory: "devices", type: "cgroup", options: "devices" },
      { directory: "freezer", type: "cgroup", options: "freezer" },
    ],
    links: [{ name: "cpu", target: "cpu,cpuacct" }, { name: "cpuacct", target: "cpu,cpuacct" }],
  });
});

Deno.test("viewMounts shows v2 of a hybrid host beside the others, where it was joined", () => {
  const joined = viewMounts(HYBRID_HOST, plan({ pids: { limit: 5 } }, HYBRID_HOST));
  assert(joined.kind === "tmpfs+v1");
  assertEquals(joined.entries.at(-1), { directory: "unified", type: "cgroup2", options: "" });
  const apart = viewMounts(HYBRID_HOST, plan({}, HYBRID_HOST));
  assert(apart.kind === "tmpfs+v1" && apart.entries.every(({ type }) => type === "cgroup"));
  assertEquals(viewMounts(host({ controllers: {}, systemd: false })), { kind: "none" });
});

Deno.test("viewMounts binds the container's own cgroups of v1, and all of v2, where it has no cgroup namespace", () => {
  const acts = plan({}, V1_HOST);
  const view = viewMounts(V1_HOST, acts, false);
  assert(view.kind === "tmpfs+v1");
  for (const { source = "" } of view.entries) assert(acts.paths.includes(source) && source.endsWith("/web"), source);
  assertEquals(viewMounts(V2_HOST, plan({}, V2_HOST), false), { kind: "cgroup2", source: "/sys/fs/cgroup" });
});

Deno.test("planCgroup for systemd makes no directory in v2, and joins the one that is there", () => {
  const unit = { name: "box-web.scope", parent: "/system.slice", systemd: true };
  const acts = planCgroup({ ...unit, resources: { memory: { limit: MIB } } }, V2_HOST);
  assertEquals(acts.paths, [`${ROOT}/system.slice/box-web.scope`]);
  assertEquals(allSteps(acts).filter(({ call }) => ["mkdirat", "unlinkat"].includes(call)), []);
  assertEquals(acts.remove.flatMap(({ steps }) => steps).map(({ onZero }) => onZero), ["leftovers"]);
  assertEquals(listWrites(acts.create, acts.paths[0]!).filter((write) => write.startsWith("memory")), [
    "memory.max=1048576",
  ]);
});

Deno.test("planCgroup for systemd joins every hierarchy of v1, its named one too, and fills in what is missing", () => {
  const unit = { name: "box-web.scope", parent: "/system.slice", systemd: true, resources: {} };
  const named = { mount: `${ROOT}/systemd`, self: "/" };
  const facts = host({ ...V1_HOST.cgroup, unified: UNIFIED, named });
  const acts = planCgroup(unit, facts);
  const mounts = [...new Set(Object.values(V1_HOST.cgroup.controllers).map(({ mount }) => mount))];
  const place = "/system.slice/box-web.scope";
  assertEquals([...acts.paths].sort(), [...mounts, UNIFIED.mount, named.mount].map((mount) => mount + place).sort());
  const made = acts.create.filter(({ what }) => what.startsWith("make the cgroup"));
  assertEquals(made.length, mounts.length + 1, "all but the unified one");
  const [first] = made.flatMap(({ steps }) => steps);
  assertEquals(first?.onZero === undefined, false, "one that is there is fine");
  const view = viewMounts(facts, acts);
  assert(view.kind === "tmpfs+v1" && view.entries.some(({ options }) => options === "none,name=systemd"));
  assertEquals(viewMounts(facts, planCgroup({ name: "paddock/web", resources: {} }, facts)).kind, "tmpfs+v1");
});

Deno.test("planDisabled holds no limits, and refuses to seem to", () => {
  assertEquals(planDisabled({ devices: [{ allow: false }], memory: { limit: 0 }, cpu: {} }).paths, []);
  const error = assertThrows(() => planDisabled({ pids: { limit: 5 } }), PaddockError);
  assertStringIncludes(error.message, "linux.resources.pids: a container without a cgroup has no limits");
});
