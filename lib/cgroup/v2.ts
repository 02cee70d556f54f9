/**
 * The files of cgroup v2 (the kernel's Documentation/admin-guide/cgroup-v2.rst).
 *
 * @module
 */
import { formatSize } from "../base/sizes.ts";
import type { BlockIO, Cpu, Memory, Resources, Throttle } from "../spec/config.ts";
import { convertBlkioWeight, convertSharesToWeight } from "./cpu_weight.ts";
import { type Backend, describeAmount, type FileWrite, type Setting, type Topic, write, writeEach } from "./setting.ts";
import {
  buildClass,
  buildPids,
  buildPriorities,
  buildRdma,
  buildSet,
  DEFAULT_PERIOD,
  describeQuota,
  WHY_IDLE,
  WHY_QUOTA,
  WHY_THROTTLE,
  WHY_WEIGHT,
} from "./v1.ts";

/** All controllers on the one unified hierarchy. */
export const v2: Backend = {
  controllerOf: (topic) => topic,
  settings: (topic, resources, fault) => BUILDERS[topic](resources, fault),
};

type Fault = (message: string) => void;

const BUILDERS: Readonly<Record<Topic, (resources: Resources, fault: Fault) => Setting[]>> = {
  memory: ({ memory }, fault) => memory === undefined ? [] : buildMemory(memory, fault),
  cpu: ({ cpu }, fault) => cpu === undefined ? [] : buildCpu(cpu, fault),
  cpuset: ({ cpu }) => [...buildSet("cpus", cpu?.cpus), ...buildSet("mems", cpu?.mems)],
  pids: ({ pids }) => buildPids(pids?.limit),
  io: ({ blockIO }, fault) => blockIO === undefined ? [] : buildIo(blockIO, fault),
  hugetlb: ({ hugepageLimits }) =>
    (hugepageLimits ?? []).map(({ pageSize, limit }) => ({
      what: `limit huge pages of ${pageSize} to ${describeAmount(limit, formatSize)}`,
      why: "huge pages are a fixed pool that all containers share",
      writes: [
        write(`hugetlb.${pageSize}.max`, amount(limit)),
        write(`hugetlb.${pageSize}.rsvd.max`, amount(limit), { optional: true }),
      ],
    })),
  // v2 has no such controllers: what v1 does not serve here is refused by the router.
  net_cls: ({ network }) => buildClass(network?.classID),
  net_prio: ({ network }) => buildPriorities(network?.priorities ?? []),
  rdma: ({ rdma }) => buildRdma(rdma ?? {}),
};

function buildMemory(memory: Memory, fault: Fault): Setting[] {
  const { limit, swap, reservation, kernel, kernelTCP, swappiness, disableOOMKiller } = memory;
  const settings: Setting[] = [];
  if (limit) {
    settings.push({
      what: `limit memory to ${describeAmount(limit, formatSize)}`,
      why: "what does not fit is reclaimed, and if that is not enough a process of the container is killed",
      writes: [write("memory.max", amount(limit))],
    });
  }
  if (swap) {
    // The specification, as docker, counts memory and swap together; v2 counts swap alone.
    const alone = swap < 0 ? -1 : swap - Math.max(limit ?? 0, 0);
    settings.push({
      what: alone === 0 ? "allow no swap" : `limit swap to ${describeAmount(alone, formatSize)}`,
      why: "memory.swap.max counts swap alone: it is memory and swap together, less the memory limit",
      writes: [write("memory.swap.max", amount(alone))],
    });
  }
  if (reservation) {
    settings.push({
      what: `keep ${describeAmount(reservation, formatSize)} of memory for it when memory is short`,
      why: "below memory.low the kernel takes from this group only when nothing else can be had",
      writes: [write("memory.low", amount(reservation))],
    });
  }
  if (swappiness !== undefined) {
    fault(
      "swappiness (--memory-swappiness; linux.resources.memory.swappiness): cgroup v2 has none per container; leave it out, or limit swap with --swap",
    );
  }
  for (const [name, value] of Object.entries({ kernel, kernelTCP })) {
    if (value !== undefined && value > 0) {
      fault(`linux.resources.memory.${name}: cgroup v2 counts it with all other memory; leave it out`);
    }
  }
  if (disableOOMKiller) {
    fault(
      "--oom-kill-disable (linux.resources.memory.disableOOMKiller): cgroup v2 cannot turn the OOM killer off for a group; leave it out",
    );
  }
  return settings;
}

function amount(value: number): string {
  return value < 0 ? "max" : String(value);
}

function buildCpu(cpu: Cpu, fault: Fault): Setting[] {
  const { shares, quota, period, burst, realtimeRuntime, realtimePeriod, idle } = cpu;
  for (const [name, value] of Object.entries({ realtimeRuntime, realtimePeriod })) {
    if (value) fault(`linux.resources.cpu.${name}: cgroup v2 has no such limit; leave it out`);
  }
  const settings: Setting[] = [];
  if (shares) {
    const weight = convertSharesToWeight(shares);
    settings.push({
      what: `give it a weight of ${weight} on the processors`,
      why:
        `when processors are short each group gets time in proportion to its weight; ${shares} shares of v1 are ${weight}`,
      writes: [write("cpu.weight", weight)],
    });
  }
  const writes: FileWrite[] = [];
  if (quota || period) {
    const max = quota === undefined || quota <= 0 ? "max" : quota;
    writes.push(write("cpu.max", `${max} ${period || DEFAULT_PERIOD}`));
  }
  if (burst !== undefined) writes.push(write("cpu.max.burst", burst));
  if (writes.length > 0) settings.push({ what: describeQuota(quota, period), why: WHY_QUOTA, writes });
  if (idle !== undefined) {
    settings.push({ what: `set cpu.idle to ${idle}`, why: WHY_IDLE, writes: [write("cpu.idle", idle)] });
  }
  return settings;
}

function buildIo(io: BlockIO, fault: Fault): Setting[] {
  const settings: Setting[] = [];
  const { weight } = io;
  const weightDevice = (io.weightDevice ?? []).filter((device) => device.weight);
  if (io.leafWeight || io.weightDevice?.some(({ leafWeight }) => leafWeight)) {
    fault("linux.resources.blockIO.leafWeight: cgroup v2 has no such weight; leave it out");
  }
  if (weight) {
    settings.push({
      what: `give it a weight of ${weight} on disks`,
      why: WHY_WEIGHT,
      // BFQ keeps the range of v1; the iocost controller has the wider one of v2.
      writes: [{
        files: [
          { name: "io.bfq.weight", data: [String(weight)] },
          { name: "io.weight", data: [String(convertBlkioWeight(weight))] },
        ],
      }],
    });
  }
  if (weightDevice.length > 0) {
    const lines = (convert: (weight: number) => number): string[] =>
      weightDevice.map(({ major, minor, weight = 0 }) => `${major}:${minor} ${convert(weight)}`);
    settings.push({
      what: "give it weights on single disks",
      why: WHY_WEIGHT,
      writes: [{
        files: [
          { name: "io.bfq.weight", data: lines((weight) => weight) },
          { name: "io.weight", data: lines(convertBlkioWeight) },
        ],
      }],
    });
  }
  const maxima = buildIoMax(io);
  if (maxima.length > 0) {
    settings.push({ what: "limit the rates of disks", why: WHY_THROTTLE, writes: [writeEach("io.max", maxima)] });
  }
  return settings;
}

/** One line for each disk: `8:0 rbps=1048576 wiops=100`. */
function buildIoMax(io: BlockIO): string[] {
  const disks = new Map<string, string[]>();
  const add = (key: string, rates: readonly Throttle[] | undefined): void => {
    for (const { major, minor, rate } of rates ?? []) {
      const disk = `${major}:${minor}`;
      disks.set(disk, [...(disks.get(disk) ?? []), `${key}=${rate <= 0 ? "max" : rate}`]);
    }
  };
  add("rbps", io.throttleReadBpsDevice);
  add("wbps", io.throttleWriteBpsDevice);
  add("riops", io.throttleReadIOPSDevice);
  add("wiops", io.throttleWriteIOPSDevice);
  return [...disks].map(([disk, keys]) => `${disk} ${keys.join(" ")}`);
}
