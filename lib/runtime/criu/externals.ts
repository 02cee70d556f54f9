/**
 * What of a container belongs to the host, and is to be found there again on restore: mounts, namespaces, streams.
 *
 * @module
 */
import { errnoName } from "../../base/errno.ts";
import type { MountFact } from "../../host/facts.ts";
import { parseMountInfo } from "../../host/mountinfo.ts";
import { readControl } from "../../kernel/cgroup.ts";
import { AT } from "../../kernel/fs.ts";
import { syscall } from "../../kernel/syscall.ts";
import type { Config, NamespaceType } from "../../spec/config.ts";
import { isBind } from "../../spec/validate_mounts.ts";

/** Pairs of a name and what it stands for. */
export type Pairs = readonly (readonly [string, string])[];

/** Masked files are all the same one. */
const NULL_DEVICE = "/dev/null";

/** Mounts of the host in a container that runs: each stands for itself, a masked file for the null device. */
export function listExternalMounts(config: Config, pid: number): Pairs {
  const mounts = parseMountInfo(readControl(`/proc/${pid}/mountinfo`) ?? "");
  const binds = config.mounts.filter(({ type, options }) => isBind(type, options)).map(({ destination }) =>
    destination
  );
  const others = mounts.filter(isOfHost).map(({ target }) => target);
  const masked = (config.linux.maskedPaths ?? []).filter((path) => isNullDevice(`/proc/${pid}/root${path}`));
  const own = [...new Set([...binds, ...others])].filter((path) => !masked.includes(path));
  return [...own.map((path) => [path, path] as const), ...masked.map((path) => [path, NULL_DEVICE] as const)];
}

/** Hierarchies of cgroups, and device nodes of the host that are mounted over files. */
function isOfHost({ type, root }: MountFact): boolean {
  return type === "cgroup" || type === "cgroup2" || (type === "devtmpfs" && root !== "/");
}

/** What they stand for where a container is restored: sources of its bundle, its own cgroups, nodes of this host. */
export function listRestoredMounts(config: Config, cgroupPaths: readonly string[]): Pairs {
  const binds = config.mounts.filter(({ type, options }) => isBind(type, options))
    .map(({ destination, source = "" }) => [destination, source] as const);
  const cgroups = config.mounts.filter(({ type }) => type === "cgroup").flatMap(({ destination }) => [
    ...cgroupPaths.map((path) => [`${destination}/${path.split("/")[4] ?? ""}`, path] as const),
    ...cgroupPaths.slice(0, 1).map((path) => [destination, path] as const),
  ]);
  const devices = ["null", "zero", "full", "random", "urandom", "tty"].map((name) => `/dev/${name}`)
    .concat((config.linux.devices ?? []).map(({ path }) => path));
  const nodes = [...new Set(devices)].map((path) => [path, path] as const);
  const known = new Map<string, string>([...nodes, ...cgroups, ...binds, [NULL_DEVICE, NULL_DEVICE]]);
  return [...known];
}

function isNullDevice(path: string): boolean {
  const statx = new Uint8Array(256);
  const STATX_TYPE = 1;
  if (syscall("statx", AT.FDCWD, path, 0, STATX_TYPE, statx) < 0) return false;
  const view = new DataView(statx.buffer);
  const [S_IFMT, S_IFCHR] = [0o170000, 0o020000];
  return (view.getUint16(28, true) & S_IFMT) === S_IFCHR && view.getUint32(128, true) === 1 &&
    view.getUint32(132, true) === 3;
}

/** Namespaces that criu takes from outside, what they are called there, and from which version on. */
const NAMESPACES: readonly (readonly [NamespaceType, file: string, name: string, version: number])[] = [
  ["network", "net", "extRootNetNS", 31100],
  ["pid", "pid", "extRootPidNS", 31600],
];

/** A namespace of the host that the container has joined. */
export interface ExternalNamespace {
  /** `net`, as in `/proc/PID/ns`. */
  readonly file: string;
  /** What criu calls it. */
  readonly name: string;
  readonly path: string;
}

/** Namespaces of the container that are somebody else's. */
export function listExternalNamespaces({ linux: { namespaces } }: Config, version: number): ExternalNamespace[] {
  return NAMESPACES.flatMap(([type, file, name, from]) => {
    const path = namespaces.find((namespace) => namespace.type === type)?.path;
    return path === undefined || version < from ? [] : [{ file, name, path }];
  });
}

/** The standard streams of a process, as their links read: `pipe:[4711]`, `/dev/null`; restored ones take their place. */
export function readStreams(pid: number): string[] {
  return [0, 1, 2].map((fd) => {
    try {
      return Deno.readLinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return errnoName(9);
    }
  });
}
