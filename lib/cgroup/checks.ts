/**
 * Limits that no kernel would take, or that contradict each other, found before anything is made.
 *
 * @module
 */
import { formatSize, parseNumberList } from "../base/sizes.ts";
import type { BlockIO, Cpu, DeviceRule, Memory, Resources } from "../spec/config.ts";

/** Every fault of these resources, each naming the setting, its value and what would do; none where all make sense. */
export function checkResources(resources: Resources): string[] {
  return [
    ...checkMemory(resources.memory ?? {}),
    ...checkCpu(resources.cpu ?? {}),
    ...checkBlockIo(resources.blockIO ?? {}),
    ...checkPids(resources.pids?.limit),
    ...(resources.hugepageLimits ?? []).flatMap(({ pageSize, limit }) => [
      ...faultIf(!/^\d+[KMG]B$/.test(pageSize), `'${pageSize}' is no size of huge pages; say one such as 2MB`),
      ...faultIf(!isWhole(limit, -1), `a huge page limit of ${limit} makes no sense`),
    ]),
    ...Object.keys(resources.unified ?? {}).flatMap(checkUnifiedKey),
    ...(resources.devices ?? []).flatMap(checkDevice),
  ];
}

/**
 * Bytes. The stacks and tables of one small process and its namespaces take up some 600 KiB: below this nothing can
 * start, and a limit this small is a slip of the unit.
 */
export const LEAST_MEMORY = 512 * 1024;

/** Microseconds: what the kernel takes for a quota, and for a period (`kernel/sched/core.c`). */
const LEAST_QUOTA = 1000;
const PERIODS = { least: 1000, most: 1_000_000 } as const;

function checkMemory({ limit, swap, reservation, swappiness }: Memory): string[] {
  const faults = [
    ...checkBytes("memory limit (--memory)", limit),
    ...checkBytes("memory and swap limit (--memory-swap)", swap),
    ...checkBytes("memory reservation (--memory-reservation)", reservation),
    ...faultIf(
      swappiness !== undefined && !isWhole(swappiness, 0, 100),
      `swappiness (--memory-swappiness) is 0 to 100, not ${swappiness}`,
    ),
  ];
  if (faults.length > 0) return faults;
  const limited = limit !== undefined && limit > 0;
  return [
    ...faultIf(
      limited && limit < LEAST_MEMORY,
      `a memory limit (--memory; linux.resources.memory.limit) of ${
        formatSize(limit ?? 0)
      } is too little to start anything; ` +
        `${formatSize(LEAST_MEMORY)} is the least`,
    ),
    ...faultIf(
      swap !== undefined && swap > 0 && !limited,
      "a limit of swap (--swap, --memory-swap) needs a limit of memory (--memory) beside it",
    ),
    ...faultIf(
      limited && swap !== undefined && swap > 0 && swap < limit,
      `memory and swap together (--memory-swap, ${formatSize(swap ?? 0)}) are less than memory alone ` +
        `(--memory, ${formatSize(limit ?? 0)})`,
    ),
    ...faultIf(
      limited && reservation !== undefined && reservation > limit,
      `the memory reservation (--memory-reservation, ${formatSize(reservation ?? 0)}) is more than the limit ` +
        `(--memory, ${formatSize(limit ?? 0)})`,
    ),
  ];
}

function checkBytes(name: string, value: number | undefined): string[] {
  return faultIf(value !== undefined && !isWhole(value, -1), `${name}: ${value} is no number of bytes`);
}

function checkCpu({ shares, quota, period, burst, idle, cpus, mems }: Cpu): string[] {
  return [
    ...faultIf(
      isSet(shares) && !isWhole(shares, 2, 262144),
      `processor shares (--cpu-shares) are 2 to 262144, not ${shares}`,
    ),
    ...faultIf(
      isSet(quota) && quota !== -1 && !isWhole(quota, LEAST_QUOTA),
      `a processor quota (--cpu-quota, --cpus) of ${quota} us is less than the kernel takes; ${LEAST_QUOTA} is the least`,
    ),
    ...faultIf(
      isSet(period) && !isWhole(period, PERIODS.least, PERIODS.most),
      `a processor period (--cpu-period) is ${PERIODS.least} to ${PERIODS.most} us, not ${period}`,
    ),
    ...faultIf(
      burst !== undefined && (!isWhole(burst, 0) || burst > Math.max(quota ?? 0, 0)),
      `a processor burst of ${burst} us is more than the quota (--cpu-quota, --cpus), which bounds it`,
    ),
    ...faultIf(idle !== undefined && !isWhole(idle, 0, 1), `cpu.idle is 0 or 1, not ${idle}`),
    ...checkList("--cpuset-cpus", cpus),
    ...checkList("--cpuset-mems", mems),
  ];
}

function checkList(flag: string, list: string | undefined): string[] {
  if (list === undefined || list === "") return [];
  try {
    parseNumberList(list);
    return [];
  } catch {
    return [`${flag}: '${list}' is no list of numbers such as 0-3,7`];
  }
}

function checkBlockIo(io: BlockIO): string[] {
  const isWeight = (weight: number): boolean => isWhole(weight, 10, 1000);
  const rates = [
    ...(io.throttleReadBpsDevice ?? []),
    ...(io.throttleWriteBpsDevice ?? []),
    ...(io.throttleReadIOPSDevice ?? []),
    ...(io.throttleWriteIOPSDevice ?? []),
  ];
  return [
    ...faultIf(
      isSet(io.weight) && !isWeight(io.weight),
      `a weight on disks (--blkio-weight) is 10 to 1000, not ${io.weight}`,
    ),
    ...(io.weightDevice ?? []).flatMap(({ major, minor, weight }) =>
      faultIf(isSet(weight) && !isWeight(weight), `the weight of disk ${major}:${minor} is 10 to 1000, not ${weight}`)
    ),
    ...rates.flatMap(({ major, minor, rate }) =>
      faultIf(!isWhole(rate, -1), `the rate of disk ${major}:${minor} is a whole number, not ${rate}`)
    ),
  ];
}

function checkPids(limit: number | undefined): string[] {
  return faultIf(
    limit !== undefined && !isWhole(limit, -1),
    `a number of processes (--pids-limit) is whole, or -1 for no limit, not ${limit}`,
  );
}

/** Raw files go below the container's own cgroup, and never move, kill or freeze processes. */
function checkUnifiedKey(key: string): string[] {
  const harmless = ["cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"];
  const fits = /^[a-z][a-z0-9_]*(\.[A-Za-z0-9_]+)+$/.test(key) &&
    (!key.startsWith("cgroup.") || harmless.includes(key));
  return faultIf(!fits, `'${key}' is no file of limits of a cgroup`);
}

function checkDevice({ type, access, major, minor }: DeviceRule): string[] {
  const rule = `device rule '${type ?? "a"} ${major ?? "*"}:${minor ?? "*"} ${access ?? "rwm"}'`;
  return [
    ...faultIf(!["a", "b", "c", undefined].includes(type), `${rule}: the type is a, b or c`),
    ...faultIf(access !== undefined && !/^[rwm]{1,3}$/.test(access), `${rule}: the access is of r, w and m`),
    ...faultIf(major !== undefined && !isWhole(major, -1, 0xfff), `${rule}: a major number is 0 to 4095`),
    ...faultIf(minor !== undefined && !isWhole(minor, -1, 0xfffff), `${rule}: a minor number is 0 to 1048575`),
  ];
}

/** In the specification 0 is "nothing said" for these. */
function isSet(value: number | undefined): value is number {
  return value !== undefined && value !== 0;
}

function isWhole(value: number, least: number, most: number = Number.MAX_SAFE_INTEGER): boolean {
  return Number.isSafeInteger(value) && value >= least && value <= most;
}

function faultIf(wrong: boolean, message: string): string[] {
  return wrong ? [message] : [];
}
