/**
 * Checks of limits and devices (runtime-spec config-linux.md, Control groups and Devices).
 *
 * @module
 */
import { parseNumberList } from "../base/sizes.ts";
import type { Config } from "./config.ts";
import { type Check, type Finding, finding, findOutside } from "./finding.ts";

/** The rules for `linux.resources`, `linux.devices` and `linux.cgroupsPath`. */
export const RESOURCE_CHECKS: readonly Check[] = [
  checkMemory,
  checkCpu,
  checkBlockIO,
  checkPids,
  checkDevices,
  checkCgroupsPath,
];

function checkMemory({ linux: { resources } }: Config): Finding[] {
  const { limit = -1, reservation = -1, swap, swappiness } = resources?.memory ?? {};
  return [
    ...findOutside("linux.resources.memory.limit", limit, -1, Number.MAX_SAFE_INTEGER),
    ...findOutside("linux.resources.memory.reservation", reservation, -1, Number.MAX_SAFE_INTEGER),
    ...findOutside("linux.resources.memory.swap", swap, -1, Number.MAX_SAFE_INTEGER),
    ...findOutside("linux.resources.memory.swappiness", swappiness, 0, 100),
    ...(swap !== undefined && swap !== -1 && limit > swap
      ? [
        finding("linux.resources.memory.swap", `${swap} is memory and swap together, and less than the limit ${limit}`),
      ]
      : []),
    ...(limit > 0 && reservation > limit
      ? [finding("linux.resources.memory.reservation", `${reservation} is above the limit ${limit}`)]
      : []),
  ];
}

function checkCpu({ linux: { resources } }: Config): Finding[] {
  const { shares, quota, period, cpus, mems } = resources?.cpu ?? {};
  return [
    ...findOutside("linux.resources.cpu.shares", shares, 0, 262_144),
    ...findOutside("linux.resources.cpu.period", period, 1000, 1_000_000),
    ...(quota === undefined || quota <= 0 ? [] : findOutside("linux.resources.cpu.quota", quota, 1000, 2 ** 44)),
    ...checkList("linux.resources.cpu.cpus", cpus),
    ...checkList("linux.resources.cpu.mems", mems),
  ];
}

function checkList(path: string, text: string | undefined): Finding[] {
  if (text === undefined || text === "") return [];
  try {
    parseNumberList(text);
    return [];
  } catch (error) {
    return [finding(path, (error as Error).message)];
  }
}

function checkBlockIO({ linux: { resources } }: Config): Finding[] {
  const { weight, weightDevice = [] } = resources?.blockIO ?? {};
  return [
    ...findOutside("linux.resources.blockIO.weight", weight === 0 ? undefined : weight, 10, 1000),
    ...weightDevice.flatMap((device, index) =>
      findOutside(
        `linux.resources.blockIO.weightDevice[${index}].weight`,
        device.weight === 0 ? undefined : device.weight,
        10,
        1000,
      )
    ),
  ];
}

function checkPids({ linux: { resources } }: Config): Finding[] {
  return findOutside("linux.resources.pids.limit", resources?.pids?.limit, -1, 2 ** 22);
}

/** Device nodes of known kinds, with numbers where a kind has numbers (`man 2 mknod`). */
function checkDevices({ linux: { devices = [], resources } }: Config): Finding[] {
  return [
    ...devices.flatMap(({ type, major, minor }, index) => [
      ...(["c", "b", "u", "p"].includes(type)
        ? []
        : [finding(`linux.devices[${index}].type`, `'${type}' is no kind of device`)]),
      ...(type !== "p" && (major === undefined || minor === undefined)
        ? [finding(`linux.devices[${index}]`, "a device needs major and minor")]
        : []),
    ]),
    ...(resources?.devices ?? []).flatMap(({ type = "a", access = "rwm" }, index) => [
      ...(["a", "c", "b"].includes(type)
        ? []
        : [finding(`linux.resources.devices[${index}].type`, `'${type}' is no kind of device`)]),
      ...(/^[rwm]*$/.test(access)
        ? []
        : [finding(`linux.resources.devices[${index}].access`, `'${access}' is not of r, w and m`)]),
    ]),
  ];
}

/** A path that stays below the cgroup mounts. */
function checkCgroupsPath({ linux: { cgroupsPath } }: Config): Finding[] {
  return cgroupsPath?.split("/").includes("..")
    ? [finding("linux.cgroupsPath", `'${cgroupsPath}' has '..' in it`)]
    : [];
}
