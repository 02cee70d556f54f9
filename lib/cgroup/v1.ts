/**
 * The files of cgroup v1 (the kernel's Documentation/admin-guide/cgroup-v1).
 *
 * @module
 */
import { formatSize } from "../base/sizes.ts";
import type { BlockIO, Cpu, Memory, Rdma, Resources, Throttle } from "../spec/config.ts";
import { type Backend, describeAmount, type FileWrite, type Setting, type Topic, write, writeEach } from "./setting.ts";

/** Each controller on a hierarchy of its own, or on one with others. */
export const v1: Backend = {
  controllerOf: (topic) => topic === "io" ? "blkio" : topic,
  settings: (topic, resources) => BUILDERS[topic](resources),
};

const BUILDERS: Readonly<Record<Topic, (resources: Resources) => Setting[]>> = {
  memory: ({ memory }) => memory === undefined ? [] : buildMemory(memory),
  cpu: ({ cpu }) => cpu === undefined ? [] : buildCpu(cpu),
  cpuset: ({ cpu }) => cpu === undefined ? [] : buildCpuset(cpu),
  pids: ({ pids }) => buildPids(pids?.limit),
  io: ({ blockIO }) => blockIO === undefined ? [] : buildBlkio(blockIO),
  hugetlb: ({ hugepageLimits }) =>
    (hugepageLimits ?? []).map(({ pageSize, limit }) => ({
      what: `limit huge pages of ${pageSize} to ${describeAmount(limit, formatSize)}`,
      why: "huge pages are a fixed pool that all containers share",
      writes: [
        write(`hugetlb.${pageSize}.limit_in_bytes`, limit),
        write(`hugetlb.${pageSize}.rsvd.limit_in_bytes`, limit, { optional: true }),
      ],
    })),
  net_cls: ({ network }) => buildClass(network?.classID),
  net_prio: ({ network }) => buildPriorities(network?.priorities ?? []),
  rdma: ({ rdma }) => buildRdma(rdma ?? {}),
};

/** The limit goes before memory+swap: the kernel refuses a memory+swap below the memory limit, which starts unlimited. */
function buildMemory(memory: Memory): Setting[] {
  const { limit, swap, reservation, kernel, kernelTCP, swappiness, disableOOMKiller } = memory;
  const settings: Setting[] = [];
  if (limit) {
    settings.push({
      what: `limit memory to ${describeAmount(limit, formatSize)}`,
      why: "what does not fit is reclaimed, and if that is not enough a process of the container is killed",
      writes: [write("memory.limit_in_bytes", limit)],
    });
  }
  if (swap) {
    settings.push({
      what: `limit memory and swap together to ${describeAmount(swap, formatSize)}`,
      why: "v1 counts both in one number; equal to the memory limit it means no swap at all",
      writes: [write("memory.memsw.limit_in_bytes", swap)],
    });
  }
  if (reservation) {
    settings.push({
      what: `keep ${describeAmount(reservation, formatSize)} of memory for it when memory is short`,
      why: "under pressure the kernel takes from groups above their soft limit first",
      writes: [write("memory.soft_limit_in_bytes", reservation)],
    });
  }
  const deprecated = [
    ["kernel memory", "memory.kmem.limit_in_bytes", kernel],
    ["buffers of TCP", "memory.kmem.tcp.limit_in_bytes", kernelTCP],
  ] as const;
  for (const [name, file, value] of deprecated) {
    if (!value) continue;
    settings.push({
      what: `limit ${name} to ${describeAmount(value, formatSize)}`,
      why: "not recommended: newer kernels count it with all other memory, and refuse a limit of its own",
      writes: [write(file, value)],
    });
  }
  if (swappiness !== undefined) {
    settings.push({
      what: `set swappiness to ${swappiness}`,
      why: "0 keeps anonymous memory in RAM as long as possible, 100 swaps as readily as it drops caches",
      writes: [write("memory.swappiness", swappiness)],
    });
  }
  if (disableOOMKiller) {
    settings.push({
      what: "turn the OOM killer off",
      why: "at the limit processes then wait for memory instead of being killed",
      writes: [write("memory.oom_control", 1)],
    });
  }
  return settings;
}

/**
 * The same in both versions. At 0 no process can be made beside the first: that is 1, as runc and systemd have it, which
 * know no 0.
 */
export function buildPids(limit: number | undefined): Setting[] {
  if (limit === undefined) return [];
  const count = limit === 0 ? 1 : limit;
  return [{
    what: count > 0 ? `allow ${count} processes` : "allow any number of processes",
    why: "a fork bomb then hits its own limit and not the host's process table",
    writes: [write("pids.max", count > 0 ? count : "max")],
  }];
}

/** A number for traffic control, on every packet. */
export function buildClass(classID: number | undefined): Setting[] {
  if (classID === undefined) return [];
  return [{
    what: `mark its packets with class ${classID}`,
    why: "traffic control (tc) tells by it which packets are the container's",
    writes: [write("net_cls.classid", classID)],
  }];
}

/** One line for each interface. */
export function buildPriorities(
  priorities: readonly { readonly name: string; readonly priority: number }[],
): Setting[] {
  if (priorities.length === 0) return [];
  return [{
    what: `set the priority of its packets on ${priorities.map(({ name }) => name).join(", ")}`,
    why: "an interface sends packets of a higher priority first",
    writes: [writeEach("net_prio.ifpriomap", priorities.map(({ name, priority }) => `${name} ${priority}`))],
  }];
}

/** The same in both versions: one line for each device. */
export function buildRdma(devices: Readonly<Record<string, Rdma>>): Setting[] {
  const lines = Object.entries(devices).map(([name, { hcaHandles, hcaObjects }]) => [
    name,
    ...(hcaHandles === undefined ? [] : [`hca_handle=${hcaHandles}`]),
    ...(hcaObjects === undefined ? [] : [`hca_object=${hcaObjects}`]),
  ]).filter((words) => words.length > 1);
  if (lines.length === 0) return [];
  return [{
    what: "limit what it has of RDMA devices",
    why: "handles and objects of an adapter are few, and all containers share them",
    writes: [writeEach("rdma.max", lines.map((words) => words.join(" ")))],
  }];
}

function buildCpu(cpu: Cpu): Setting[] {
  const { shares, quota, period, burst, idle } = cpu;
  const settings: Setting[] = [];
  if (shares) {
    settings.push({
      what: `give it ${shares} shares of the processors`,
      why: "when processors are short each group gets time in proportion to its shares; 1024 is the default",
      writes: [write("cpu.shares", shares)],
    });
  }
  const writes: FileWrite[] = [];
  if (period) writes.push(write("cpu.cfs_period_us", period));
  if (quota) writes.push(write("cpu.cfs_quota_us", quota));
  if (burst !== undefined) writes.push(write("cpu.cfs_burst_us", burst));
  if (writes.length > 0) {
    settings.push({ what: describeQuota(quota, period), why: WHY_QUOTA, writes });
  }
  settings.push(...buildRealtime(cpu));
  if (idle !== undefined) {
    settings.push({ what: `set cpu.idle to ${idle}`, why: WHY_IDLE, writes: [write("cpu.idle", idle)] });
  }
  return settings;
}

/** The period goes first, for the kernel refuses a runtime that is longer than it. */
function buildRealtime({ realtimePeriod, realtimeRuntime }: Cpu): Setting[] {
  const writes: FileWrite[] = [];
  if (realtimePeriod) writes.push(write("cpu.rt_period_us", realtimePeriod));
  if (realtimeRuntime) writes.push(write("cpu.rt_runtime_us", realtimeRuntime));
  if (writes.length === 0) return [];
  return [{
    what: "give it time for real-time processes",
    why: "such a process takes a processor before all others, and can take it for good",
    writes,
  }];
}

/** "limit it to 1.5 processors", from microseconds. */
export function describeQuota(quota: number | undefined, period: number | undefined): string {
  if (quota === undefined || quota <= 0) return `count processor time in periods of ${period ?? DEFAULT_PERIOD} us`;
  return `limit it to ${Number((quota / (period || DEFAULT_PERIOD)).toFixed(3))} processors`;
}

/** Microseconds; the kernel's own default. */
export const DEFAULT_PERIOD = 100_000;

export const WHY_QUOTA =
  "in each period the container runs for so much processor time, and then waits for the next one";

export const WHY_IDLE = "an idle group runs only when nothing else wants the processor";

function buildCpuset({ cpus, mems }: Cpu): Setting[] {
  return [...buildSet("cpus", cpus), ...buildSet("mems", mems)];
}

/** The same in both versions: `cpuset.cpus` and `cpuset.mems`. */
export function buildSet(kind: "cpus" | "mems", list: string | undefined): Setting[] {
  if (list === undefined || list === "") return [];
  return [{
    what: `${kind === "cpus" ? "run it on processors" : "take its memory from nodes"} ${list} only`,
    why: kind === "cpus"
      ? "the scheduler then never puts it on another processor"
      : "memory of a near node is faster than memory of a far one",
    writes: [write(`cpuset.${kind}`, list)],
  }];
}

function buildBlkio(io: BlockIO): Setting[] {
  const settings: Setting[] = [];
  // The BFQ scheduler has files of its own; the plain ones were CFQ's, and left with it in Linux 5.0.
  const weights = [["weight", ["blkio.bfq.weight", "blkio.weight"]], ["leafWeight", ["blkio.leaf_weight"]]] as const;
  for (const [key, files] of weights) {
    const value = io[key];
    if (!value) continue;
    settings.push({
      what: `give it a ${describeWeight(key)} of ${value} on disks`,
      why: WHY_WEIGHT,
      writes: [{ files: files.map((name) => ({ name, data: [String(value)] })) }],
    });
  }
  for (const [key, files] of weights) {
    const data = (io.weightDevice ?? []).filter((device) => device[key])
      .map((device) => `${device.major}:${device.minor} ${device[key]}`);
    if (data.length === 0) continue;
    settings.push({
      what: `give it ${describeWeight(key)}s on single disks`,
      why: WHY_WEIGHT,
      writes: [{ files: files.map((name) => ({ name: `${name}_device`, data })) }],
    });
  }
  for (const [file, unit, rates] of listThrottles(io)) {
    const data = rates.map(({ major, minor, rate }) => `${major}:${minor} ${Math.max(rate, 0)}`);
    settings.push({ what: `limit ${unit} of disks`, why: WHY_THROTTLE, writes: [writeEach(file, data)] });
  }
  return settings;
}

export const WHY_WEIGHT = "when a disk is busy each group gets its turns in proportion to its weight";

export const WHY_THROTTLE = "one container then cannot take a whole disk's time";

function describeWeight(key: "weight" | "leafWeight"): string {
  return key === "weight" ? "weight" : "weight against its own child cgroups";
}

function listThrottles(io: BlockIO): [file: string, unit: string, rates: readonly Throttle[]][] {
  const all: [string, string, readonly Throttle[] | undefined][] = [
    ["blkio.throttle.read_bps_device", "bytes read in a second", io.throttleReadBpsDevice],
    ["blkio.throttle.write_bps_device", "bytes written in a second", io.throttleWriteBpsDevice],
    ["blkio.throttle.read_iops_device", "reads in a second", io.throttleReadIOPSDevice],
    ["blkio.throttle.write_iops_device", "writes in a second", io.throttleWriteIOPSDevice],
  ];
  return all.flatMap(([file, unit, rates]) => rates === undefined || rates.length === 0 ? [] : [[file, unit, rates]]);
}
