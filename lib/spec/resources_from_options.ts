/**
 * Limits and devices of a container.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { BlockIO, Device, DeviceRule, Memory, Resources, Throttle } from "./config.ts";
import { ALL_DEVICE_RULES, DEFAULT_DEVICES, DEVICE_RULES } from "./defaults.ts";
import type { BlkioOptions, DeviceRate, MemoryOptions, RunOptions } from "./run_options.ts";

/** A device node of the host. */
export interface DeviceNode {
  readonly path: string;
  readonly type: "c" | "b";
  readonly major: number;
  readonly minor: number;
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/** What of the surroundings devices and limits depend on. */
export interface DeviceSurroundings {
  readonly limitsSwap: boolean;
  readonly nodes: ReadonlyMap<string, readonly DeviceNode[]>;
  readonly allNodes: readonly DeviceNode[];
}

/** Paths of the host whose nodes `buildConfig` wants to find in `Surroundings.nodes`. */
export function listDevicePaths({ devices, blkio }: RunOptions): readonly string[] {
  const rates = [...blkio.readBps, ...blkio.writeBps, ...blkio.readIops, ...blkio.writeIops, ...blkio.weightDevice];
  return [...new Set([...devices.map((device) => device.source), ...rates.map((rate) => rate.path)])];
}

/** Nodes that every container has of its own: a host's are never in their place. */
const OWN_NODES: readonly string[] = [...DEFAULT_DEVICES.map((device) => device.path), "/dev/ptmx", "/dev/console"];

/** Devices beside the default ones. */
export function buildDevices(options: RunOptions, around: DeviceSurroundings): readonly Device[] {
  const wanted = options.privileged ? around.allNodes.map(toDevice) : [];
  const asked = options.devices.flatMap(({ source, target }) =>
    findNodes(source, around).map((node) => ({ ...toDevice(node), path: target + node.path.slice(source.length) }))
  );
  const byPath = new Map([...wanted, ...asked].map((device) => [device.path, device]));
  return [...byPath.values()].filter((device) => !OWN_NODES.includes(device.path));
}

/** The limits for the container's cgroups. */
export function buildResources(options: RunOptions, around: DeviceSurroundings): Resources {
  const memory = buildMemory(options.memory, around.limitsSwap);
  const blockIO = buildBlockIO(options.blkio, around);
  return {
    devices: buildDeviceRules(options, around),
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(options.cpu).length === 0 ? {} : { cpu: options.cpu }),
    // docker's 0 is no limit; the specification's is.
    ...(options.pidsLimit === undefined ? {} : { pids: { limit: options.pidsLimit === 0 ? -1 : options.pidsLimit } }),
    ...(Object.keys(blockIO).length === 0 ? {} : { blockIO }),
  };
}

function buildDeviceRules(options: RunOptions, around: DeviceSurroundings): readonly DeviceRule[] {
  if (options.privileged) return ALL_DEVICE_RULES;
  const asked = options.devices.flatMap(({ source, access }) =>
    findNodes(source, around).map(({ type, major, minor }): DeviceRule => ({ allow: true, type, major, minor, access }))
  );
  return [...DEVICE_RULES, ...asked];
}

/** docker's default where swap is not spoken of: as much swap as memory. */
function buildMemory({ disableOOMKiller, ...given }: MemoryOptions, limitsSwap: boolean): Memory {
  const { limit = -1 } = given;
  return {
    ...given,
    ...(limit > 0 && given.swap === undefined && limitsSwap ? { swap: limit * 2 } : {}),
    ...(disableOOMKiller ? { disableOOMKiller } : {}),
  };
}

function buildBlockIO(given: BlkioOptions, around: DeviceSurroundings): BlockIO {
  const throttle = (rates: readonly DeviceRate[]): readonly Throttle[] =>
    rates.map(({ path, rate }) => ({ ...findNumbers(path, around), rate }));
  const weights = given.weightDevice.map(({ path, weight }) => ({ ...findNumbers(path, around), weight }));
  const lists = {
    weightDevice: weights,
    throttleReadBpsDevice: throttle(given.readBps),
    throttleWriteBpsDevice: throttle(given.writeBps),
    throttleReadIOPSDevice: throttle(given.readIops),
    throttleWriteIOPSDevice: throttle(given.writeIops),
  };
  return {
    ...(given.weight === undefined ? {} : { weight: given.weight }),
    ...Object.fromEntries(Object.entries(lists).filter(([, list]) => list.length > 0)),
  };
}

function findNumbers(path: string, around: DeviceSurroundings): { readonly major: number; readonly minor: number } {
  const node = findNodes(path, around)[0];
  if (node === undefined || node.type !== "b") {
    throw new PaddockError(`'${path}' is no block device: its input and output cannot be limited`, {
      hint: "give the disk itself, as in /dev/sda (see: lsblk)",
    });
  }
  return { major: node.major, minor: node.minor };
}

function findNodes(path: string, around: DeviceSurroundings): readonly DeviceNode[] {
  const nodes = around.nodes.get(path) ?? [];
  if (nodes.length === 0) throw new PaddockError(`'${path}' is no device of this host`);
  return nodes;
}

function toDevice({ path, type, major, minor, mode, uid, gid }: DeviceNode): Device {
  return { path, type, major, minor, fileMode: mode & 0o7777, uid, gid };
}
