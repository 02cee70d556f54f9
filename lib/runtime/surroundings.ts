/**
 * What has to be looked up on the host and in the image before a Config can be made.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import { readText } from "../host/probe.ts";
import { readUserFiles } from "../image/root_files.ts";
import { isThere } from "../kernel/syscall.ts";
import type { Surroundings } from "../spec/from_options.ts";
import type { ImageConfig } from "../spec/image_config.ts";
import { type DeviceNode, listDevicePaths } from "../spec/resources_from_options.ts";
import type { RunOptions } from "../spec/run_options.ts";
import { resolveUser } from "../spec/users.ts";

/** What `lookUp` is told. */
export interface LookUp {
  readonly id: string;
  readonly options: RunOptions;
  readonly facts: Facts;
  /** Where the rootfs will be mounted. */
  readonly rootfs: string;
  /** Where its files can be read now, the topmost first; empty where there are none yet (an archive that was not extracted). */
  readonly layers: readonly string[];
  readonly image: ImageConfig;
  /** The network namespace that it joins. */
  readonly networkPath?: string;
}

/**
 * Ids, device nodes and names.
 *
 * @throws PaddockError where a user, group or device that was asked for is not there.
 */
export function lookUpSurroundings(look: LookUp): Surroundings {
  const { id, options, facts, rootfs, layers, image, networkPath } = look;
  const user = options.user ?? image.user ?? "";
  const needsFiles = user !== "" || options.groupAdd.length > 0;
  return {
    id,
    rootfs,
    image,
    // Root's home is read as well, unless that would be all that the files are opened for.
    user: needsFiles || layers.length > 0
      ? layers.length === 0 ? resolveUnseen(user, options) : resolveUser(user, options.groupAdd, readUserFiles(layers))
      : { uid: 0, gid: 0, additionalGids: [], home: "/root" },
    limitsSwap: facts.cgroup.controllers["memory"]?.swap === true,
    hostname: Deno.hostname(),
    capabilities: facts.capabilities,
    nodes: new Map(listDevicePaths(options).map((path) => [path, listNodes(path)])),
    allNodes: options.privileged ? listNodes("/dev") : [],
    maskedPaths: throttlePaths(),
    ...(networkPath === undefined ? {} : { networkPath }),
  };
}

/** Who a user is in an image that cannot be looked into yet: a number is enough, and a name is not known. */
function resolveUnseen(user: string, { groupAdd, image }: RunOptions): Surroundings["user"] {
  try {
    return resolveUser(user, groupAdd, { passwd: "", group: "" });
  } catch (cause) {
    throw new PaddockError(`who '${user}' is stands in the image, which is not in the store yet`, {
      hint: `put it there first: paddock import ${image}`,
      cause,
    });
  }
}

/** The device node at a path of the host, or all nodes below it where it is a directory. */
function listNodes(path: string): DeviceNode[] {
  const info = stat(path);
  if (info.isDirectory) {
    return [...Deno.readDirSync(path)]
      .filter((entry) => !entry.isSymlink && !(entry.isDirectory && SKIPPED.includes(`${path}/${entry.name}`)))
      .flatMap((entry) => entry.isDirectory || entry.isFile === false ? listNodes(`${path}/${entry.name}`) : []);
  }
  if (!info.isCharDevice && !info.isBlockDevice) return [];
  const device = info.rdev ?? 0;
  return [{
    path,
    type: info.isBlockDevice ? "b" : "c",
    // `gnu_dev_major` and `gnu_dev_minor` of the C library, for numbers below 2^32.
    major: (device >>> 8) & 0xfff,
    minor: (device & 0xff) | ((device >>> 12) & 0xfff00),
    mode: (info.mode ?? 0o666) & 0o777,
    uid: info.uid ?? 0,
    gid: info.gid ?? 0,
  }];
}

/** Directories of /dev that are other filesystems, which each container has of its own. */
const SKIPPED = ["/dev/pts", "/dev/shm", "/dev/mqueue"];

function stat(path: string): Deno.FileInfo {
  try {
    return Deno.statSync(path);
  } catch (cause) {
    throw new PaddockError(`device ${path}: no such file or directory`, { hint: "see `ls -l /dev`", cause });
  }
}

/** Counters of each processor's throttling, by which one container can watch another (GHSA-6fw5-f8r9-fgfm). */
function throttlePaths(): string[] {
  const base = "/sys/devices/system/cpu";
  if (!isThere(`${base}/cpu0/thermal_throttle`)) return [];
  const names = [...Deno.readDirSync(base)].map(({ name }) => name).filter((name) => /^cpu\d+$/.test(name));
  return names.map((name) => `${base}/${name}/thermal_throttle`);
}

/** The host's `/etc/resolv.conf`; behind systemd-resolved's stub the file with the real servers. */
export function readHostResolvConf(): string {
  const text = readText("/etc/resolv.conf") ?? "";
  return /^\s*nameserver\s+127\.0\.0\.53\b/m.test(text) ? readText("/run/systemd/resolve/resolv.conf") ?? text : text;
}
