/**
 * Checks of limits and devices (runtime-spec config-linux.md, Control groups and Devices).
 *
 * @module
 */
import type { Config, Throttle } from "./config.ts";
import { type Check, type Finding, finding, findNoList, findOutside } from "./finding.ts";

/** The rules for `linux.resources`, `linux.devices` and `linux.cgroupsPath`. */
export const RESOURCE_CHECKS: readonly Check[] = [
  checkMemory,
  checkCpu,
  checkBlockIO,
  checkPids,
  checkHugePages,
  checkNetwork,
  checkRdma,
  checkUnified,
  checkDevices,
  checkCgroupsPath,
];

function checkMemory({ linux: { resources } }: Config): Finding[] {
  const { limit = -1, reservation = -1, swap, kernel, kernelTCP, swappiness } = resources?.memory ?? {};
  return [
    ...findOutside("linux.resources.memory.kernel", kernel, -1, Number.MAX_SAFE_INTEGER),
    ...findOutside("linux.resources.memory.kernelTCP", kernelTCP, -1, Number.MAX_SAFE_INTEGER),
    ...findOutside("linux.resources.memory.limit", limit, -1, Number.MAX_SAFE_INTEGER),
    ...findOutside("linux.resources.memory.reservation", reservation, -1, Number.MAX_SAFE_INTEGER),
    ...findOutside("linux.resources.memory.swap", swap, -1, Number.MAX_SAFE_INTEGER),
    ...findOutside("linux.resources.memory.swappiness", swappiness, 0, 100),
    ...(swap !== undefined && swap !== -1 && limit > swap
      ? [
        finding("linux.resources.memory.swap", `${swap} is memory and swap together, and less than the limit ${limit}`),
      ]
      : []),
    ...(swap !== undefined && swap > 0 && limit <= 0
      ? [finding("linux.resources.memory.swap", `${swap} is memory and swap together, and memory has no limit`)]
      : []),
    ...(limit > 0 && reservation > limit
      ? [finding("linux.resources.memory.reservation", `${reservation} is above the limit ${limit}`)]
      : []),
  ];
}

function checkCpu({ linux: { resources } }: Config): Finding[] {
  const { shares, quota, period, burst, realtimeRuntime, realtimePeriod, idle, cpus, mems } = resources?.cpu ?? {};
  return [
    // 0 is "nothing said", and 1 is taken for the least by the kernel.
    ...findOutside("linux.resources.cpu.shares", shares, 0, 262_144),
    ...findOutside("linux.resources.cpu.period", period === 0 ? undefined : period, 1000, 1_000_000),
    ...(quota === undefined || quota === 0 || quota === -1
      ? []
      : findOutside("linux.resources.cpu.quota", quota, 1000, 2 ** 44)),
    ...findOutside("linux.resources.cpu.burst", burst, 0, quota !== undefined && quota > 0 ? quota : 0),
    ...findOutside("linux.resources.cpu.realtimePeriod", realtimePeriod, 0, 2 ** 31 - 1),
    ...findOutside("linux.resources.cpu.realtimeRuntime", realtimeRuntime, -1, 2 ** 31 - 1),
    ...findOutside("linux.resources.cpu.idle", idle, 0, 1),
    ...findNoList("linux.resources.cpu.cpus", cpus),
    ...findNoList("linux.resources.cpu.mems", mems),
  ];
}

function checkBlockIO({ linux: { resources } }: Config): Finding[] {
  const { blockIO = {} } = resources ?? {};
  const path = "linux.resources.blockIO";
  const weight = (at: string, value: number | undefined): Finding[] =>
    findOutside(at, value === 0 ? undefined : value, 10, 1000);
  return [
    ...weight(`${path}.weight`, blockIO.weight),
    ...weight(`${path}.leafWeight`, blockIO.leafWeight),
    ...(blockIO.weightDevice ?? []).flatMap((device, index) => [
      ...weight(`${path}.weightDevice[${index}].weight`, device.weight),
      ...weight(`${path}.weightDevice[${index}].leafWeight`, device.leafWeight),
      ...(device.weight === undefined && device.leafWeight === undefined
        ? [finding(`${path}.weightDevice[${index}]`, "there is no weight")]
        : []),
    ]),
    ...THROTTLES.flatMap((name) =>
      (blockIO[name] ?? []).flatMap((throttle: Throttle, index) =>
        findOutside(`${path}.${name}[${index}].rate`, throttle.rate, -1, Number.MAX_SAFE_INTEGER)
      )
    ),
  ];
}

const THROTTLES = [
  "throttleReadBpsDevice",
  "throttleWriteBpsDevice",
  "throttleReadIOPSDevice",
  "throttleWriteIOPSDevice",
] as const;

function checkPids({ linux: { resources } }: Config): Finding[] {
  return findOutside("linux.resources.pids.limit", resources?.pids?.limit, -1, 2 ** 22);
}

/** Sizes as the kernel writes them in the names of its files: a number, a unit, and `B`; each once. */
function checkHugePages({ linux: { resources } }: Config): Finding[] {
  const limits = resources?.hugepageLimits ?? [];
  return limits.flatMap(({ pageSize, limit }, index) => [
    ...(/^[1-9]\d*[KMG]B$/.test(pageSize)
      ? []
      : [finding(`linux.resources.hugepageLimits[${index}].pageSize`, `'${pageSize}' is no size such as 2MB`)]),
    ...(limits.findIndex((other) => other.pageSize === pageSize) < index
      ? [finding(`linux.resources.hugepageLimits[${index}].pageSize`, `'${pageSize}' is there twice`)]
      : []),
    ...findOutside(`linux.resources.hugepageLimits[${index}].limit`, limit, -1, Number.MAX_SAFE_INTEGER),
  ]);
}

/** Numbers of 32 bits, and names of interfaces. */
function checkNetwork({ linux: { resources } }: Config): Finding[] {
  const { classID, priorities = [] } = resources?.network ?? {};
  return [
    ...findOutside("linux.resources.network.classID", classID, 0, 2 ** 32 - 1),
    ...priorities.flatMap(({ name, priority }, index) => [
      ...(/^[^\s/]{1,15}$/.test(name)
        ? []
        : [finding(`linux.resources.network.priorities[${index}].name`, `'${name}' is no name of an interface`)]),
      ...findOutside(`linux.resources.network.priorities[${index}].priority`, priority, 0, 2 ** 32 - 1),
    ]),
  ];
}

/** Numbers of 32 bits for devices by name. */
function checkRdma({ linux: { resources } }: Config): Finding[] {
  return Object.entries(resources?.rdma ?? {}).flatMap(([name, { hcaHandles, hcaObjects }]) => {
    const path = `linux.resources.rdma[${JSON.stringify(name)}]`;
    return [
      ...(/^[^\s/=]+$/.test(name) ? [] : [finding(path, "it is no name of a device")]),
      ...findOutside(`${path}.hcaHandles`, hcaHandles, 0, 2 ** 32 - 1),
      ...findOutside(`${path}.hcaObjects`, hcaObjects, 0, 2 ** 32 - 1),
    ];
  });
}

/** Files of the container's own cgroup that hold limits: none elsewhere, none that moves, kills or freezes processes. */
function checkUnified({ linux: { resources } }: Config): Finding[] {
  return Object.keys(resources?.unified ?? {}).flatMap((key) => {
    const path = `linux.resources.unified[${JSON.stringify(key)}]`;
    if (key.includes("/")) return [finding(path, "a file of the container's own cgroup has no slash in its name")];
    return isLimitFile(key) ? [] : [finding(path, "it is no file of limits of a cgroup")];
  });
}

/** True for a name such as `memory.high`; of cgroup core's own files for those that bound the tree. */
export function isLimitFile(name: string): boolean {
  const core = ["cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"];
  return /^[a-z][a-z0-9_]*(\.[A-Za-z0-9_]+)+$/.test(name) && (!name.startsWith("cgroup.") || core.includes(name));
}

/** Device nodes of known kinds, with numbers where a kind has numbers (`man 2 mknod`). */
function checkDevices({ linux: { devices = [], resources } }: Config): Finding[] {
  return [
    ...devices.flatMap(({ type, major, minor, fileMode, uid, gid }, index) => [
      ...(["c", "b", "u", "p"].includes(type)
        ? []
        : [finding(`linux.devices[${index}].type`, `'${type}' is no kind of device`)]),
      ...(type !== "p" && (major === undefined || minor === undefined)
        ? [finding(`linux.devices[${index}]`, "a device needs major and minor")]
        : []),
      ...findOutside(`linux.devices[${index}].major`, major, 0, LAST_MAJOR),
      ...findOutside(`linux.devices[${index}].minor`, minor, 0, LAST_MINOR),
      ...findOutside(`linux.devices[${index}].fileMode`, fileMode, 0, 0o177777),
      ...findOutside(`linux.devices[${index}].uid`, uid, 0, 2 ** 32 - 2),
      ...findOutside(`linux.devices[${index}].gid`, gid, 0, 2 ** 32 - 2),
    ]),
    ...(resources?.devices ?? []).flatMap(({ type = "a", access = "rwm", major, minor }, index) => [
      ...findOutside(`linux.resources.devices[${index}].major`, major, -1, LAST_MAJOR),
      ...findOutside(`linux.resources.devices[${index}].minor`, minor, -1, LAST_MINOR),
      ...(["a", "c", "b"].includes(type)
        ? []
        : [finding(`linux.resources.devices[${index}].type`, `'${type}' is no kind of device`)]),
      ...(/^[rwm]*$/.test(access)
        ? []
        : [finding(`linux.resources.devices[${index}].access`, `'${access}' is not of r, w and m`)]),
    ]),
  ];
}

/** Bits that the kernel has for them (`linux/kdev_t.h`). */
const LAST_MAJOR = 0xfff;
const LAST_MINOR = 0xfffff;

/** A path that stays below the cgroup mounts. */
function checkCgroupsPath({ linux: { cgroupsPath } }: Config): Finding[] {
  return cgroupsPath?.split("/").includes("..")
    ? [finding("linux.cgroupsPath", `'${cgroupsPath}' has '..' in it`)]
    : [];
}
