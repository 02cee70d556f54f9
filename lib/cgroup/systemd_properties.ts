/**
 * Resources → properties of a unit (`man 5 systemd.resource-control`; types in `man 5 org.freedesktop.systemd1`).
 *
 * What systemd has no property for is in the files of the cgroup alone, which the launcher writes in any case. What it
 * has one for must be in both: it writes its own value again when it reloads.
 *
 * @module
 */
import { parseNumberList } from "../base/sizes.ts";
import type { BlockIO, Cpu, Memory, Resources, Throttle } from "../spec/config.ts";
import type { Property, Value } from "../systemd/value.ts";
import { convertBlkioWeight, convertSharesToWeight } from "./cpu_weight.ts";
import type { DeviceGroups } from "./systemd_devices.ts";

/** What of the host decides how something is said. */
export interface SystemdHost {
  /** Which version of cgroups it controls resources with. */
  readonly cgroup: 1 | 2;
  /** Version of systemd. */
  readonly version: number;
  readonly groups: DeviceGroups;
}

/** The properties that hold these resources; devices are apart (`systemd_devices.ts`). */
export function listProperties(resources: Resources, host: SystemdHost): Property[] {
  const { memory = {}, cpu = {}, pids, blockIO = {}, unified = {} } = resources;
  return [
    ...(host.cgroup === 2 ? listMemoryV2(memory) : listMemoryV1(memory)),
    ...(host.cgroup === 2 ? listWeight(cpu, host) : numberIf("CPUShares", cpu.shares)),
    ...listQuota(cpu.quota ?? 0, cpu.period ?? 0, host),
    ...listSets(cpu, host),
    ...listTasks(pids?.limit),
    ...(host.cgroup === 2 ? listIoV2(blockIO) : listIoV1(blockIO)),
    ...(host.cgroup === 2 ? listUnified(unified, host) : []),
  ];
}

/** "Without end", in bytes, microseconds and numbers of processes. */
const INFINITY = 0xffff_ffff_ffff_ffffn;

function number(name: string, value: number): Property {
  return { name, signature: "t", value: value < 0 ? INFINITY : BigInt(value) };
}

/** Zero is "nothing said" in the specification. */
function numberIf(name: string, value: number | undefined): Property[] {
  return value ? [number(name, value)] : [];
}

function listMemoryV2({ limit, reservation, swap }: Memory): Property[] {
  // Memory and swap together in the specification, swap alone in v2; it may come to none at all.
  const alone = swap === undefined || swap < 0 ? swap : Math.max(swap - Math.max(limit ?? 0, 0), 0);
  return [
    ...numberIf("MemoryMax", limit),
    ...numberIf("MemoryLow", reservation),
    ...(swap && alone !== undefined ? [number("MemorySwapMax", alone)] : []),
  ];
}

function listMemoryV1({ limit }: Memory): Property[] {
  return numberIf("MemoryLimit", limit);
}

/** From version 252 on a weight of 0 is `cpu.idle`. */
function listWeight({ shares, idle }: Cpu, { version }: SystemdHost): Property[] {
  if (idle === 1 && version >= 252) return [number("CPUWeight", 0)];
  return shares ? [number("CPUWeight", convertSharesToWeight(shares))] : [];
}

/** Microseconds of processor time in each period, or in a second; systemd knows whole percents of it alone. */
function listQuota(quota: number, period: number, { version }: SystemdHost): Property[] {
  const perSecond = Math.ceil(quota * 1_000_000 / (period || DEFAULT_PERIOD) / PERCENT) * PERCENT;
  return [
    ...(period > 0 && version >= 242 ? [number("CPUQuotaPeriodUSec", period)] : []),
    ...(quota === 0 && period === 0 ? [] : [number("CPUQuotaPerSecUSec", quota > 0 ? perSecond : -1)]),
  ];
}

const DEFAULT_PERIOD = 100_000;
const PERCENT = 10_000;

function listSets({ cpus, mems }: Pick<Cpu, "cpus" | "mems">, { version }: SystemdHost): Property[] {
  if (version < 244) return [];
  return [
    ...(cpus ? [{ name: "AllowedCPUs", signature: "ay", value: toBits(cpus) }] : []),
    ...(mems ? [{ name: "AllowedMemoryNodes", signature: "ay", value: toBits(mems) }] : []),
  ];
}

/** `0-3,9` as bits, the lowest byte first. */
function toBits(list: string): Value {
  const numbers = parseNumberList(list);
  const bytes = new Uint8Array(Math.floor(Math.max(...numbers) / 8) + 1);
  for (const one of numbers) bytes[one >> 3]! |= 1 << (one & 7);
  return [...bytes];
}

function listTasks(limit: number | undefined): Property[] {
  // No other process can be made at 0: systemd takes 1 for the least, as the file does (`v1.ts`).
  return limit === undefined ? [] : [number("TasksMax", limit === 0 ? 1 : limit)];
}

function listIoV2(io: BlockIO): Property[] {
  const weights = (io.weightDevice ?? []).filter(({ weight }) => weight);
  return [
    ...(io.weight ? [number("IOWeight", convertBlkioWeight(io.weight))] : []),
    ...forDisks("IODeviceWeight", weights.map((disk) => [disk, convertBlkioWeight(disk.weight!)])),
    ...forDisks("IOReadBandwidthMax", rates(io.throttleReadBpsDevice)),
    ...forDisks("IOWriteBandwidthMax", rates(io.throttleWriteBpsDevice)),
    ...forDisks("IOReadIOPSMax", rates(io.throttleReadIOPSDevice)),
    ...forDisks("IOWriteIOPSMax", rates(io.throttleWriteIOPSDevice)),
  ];
}

function listIoV1(io: BlockIO): Property[] {
  const weights = (io.weightDevice ?? []).filter(({ weight }) => weight);
  return [
    ...numberIf("BlockIOWeight", io.weight),
    ...forDisks("BlockIODeviceWeight", weights.map((disk) => [disk, disk.weight!])),
    ...forDisks("BlockIOReadBandwidth", rates(io.throttleReadBpsDevice)),
    ...forDisks("BlockIOWriteBandwidth", rates(io.throttleWriteBpsDevice)),
  ];
}

type Disk = { readonly major: number; readonly minor: number };

function rates(all: readonly Throttle[] = []): [Disk, number][] {
  return all.map((disk) => [disk, disk.rate <= 0 ? -1 : disk.rate]);
}

function forDisks(name: string, values: readonly (readonly [Disk, number])[]): Property[] {
  if (values.length === 0) return [];
  const value = values.map(([{ major, minor }, amount]): Value => [
    `/dev/block/${major}:${minor}`,
    amount < 0 ? INFINITY : BigInt(amount),
  ]);
  return [{ name, signature: "a(st)", value }];
}

/** Files of v2 that are a property as well, and which. */
const UNIFIED: Readonly<Record<string, string>> = {
  "memory.min": "MemoryMin",
  "memory.low": "MemoryLow",
  "memory.high": "MemoryHigh",
  "memory.max": "MemoryMax",
  "memory.swap.max": "MemorySwapMax",
  "pids.max": "TasksMax",
  "cpu.weight": "CPUWeight",
};

/** Raw files: what is neither `max` nor a number, for the kernel to judge, is no property. */
function listUnified(unified: Readonly<Record<string, string>>, host: SystemdHost): Property[] {
  return Object.entries(unified).flatMap(([file, text]) => {
    const value = text.trim();
    const name = UNIFIED[file];
    if (name !== undefined && file === "cpu.weight" && unified["cpu.idle"]?.trim() === "1") return [];
    if (name !== undefined) {
      if (value === "max") return [{ name, signature: "t", value: INFINITY }];
      return /^\d+$/.test(value) ? [{ name, signature: "t", value: BigInt(value) }] : [];
    }
    switch (file) {
      case "cpu.idle":
        return listWeight({ idle: Number(value) }, host);
      case "cpu.max": {
        const [quota, period] = value.split(/\s+/);
        return listQuota(quota === "max" ? -1 : Number(quota), Number(period ?? DEFAULT_PERIOD), host);
      }
      case "cpuset.cpus":
        return listSets({ cpus: value }, host);
      case "cpuset.mems":
        return listSets({ mems: value }, host);
      default:
        return [];
    }
  });
}
