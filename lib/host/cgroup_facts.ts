/**
 * Which hierarchy serves each controller here: read from texts that somebody else fetched.
 *
 * A host is v1, v2 or both at once, and the answer is given per controller: a controller is served by v2 where the
 * unified hierarchy lists it, by v1 where a hierarchy with it is mounted, and is absent otherwise (`man 7 cgroups`).
 *
 * @module
 */
import type { CgroupFacts, ControllerFact, MountFact } from "./facts.ts";
import { isKernelAtLeast, parseKernelVersion } from "./kernel_version.ts";
import { isWithin } from "./mountinfo.ts";

/** The text of a file, or `undefined` where it cannot be read. */
export type ReadText = (path: string) => string | undefined;

/**
 * The cgroup layout of this host, as this process sees it.
 *
 * @param readText asked for files of /proc and of the hierarchies
 * @param mounts every mount of this mount namespace, in the order of /proc/self/mountinfo
 */
export function readCgroupFacts(readText: ReadText, mounts: readonly MountFact[]): CgroupFacts {
  const memberships = parseMemberships(readText("/proc/self/cgroup") ?? "");
  const visible = mounts.filter((mount, index) => isCgroup(mount) && !isHidden(mount, mounts.slice(index + 1)));
  const known = listKnownControllers(memberships, readText);
  const unified = findUnified(memberships, visible);
  const controllers: Record<string, ControllerFact> = {
    ...readV1(memberships, visible, known, readText),
    ...(unified === undefined ? {} : readV2(unified, readText)),
  };
  const named = findNamed(memberships, visible);
  return {
    controllers,
    ...(unified === undefined ? {} : { unified }),
    ...(named === undefined ? {} : { named }),
    systemd: readText("/proc/1/comm")?.trim() === "systemd",
  };
}

/** One line of /proc/PID/cgroup: `controllers` is empty for v2, and holds `name=…` for a named v1 hierarchy. */
interface Membership {
  readonly controllers: readonly string[];
  readonly path: string;
}

interface Place {
  readonly mount: string;
  readonly self: string;
}

function parseMemberships(text: string): Membership[] {
  return text.split("\n").flatMap((line) => {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) return [];
    return [{ controllers: match[1]!.split(",").filter((name) => name !== ""), path: match[2]! }];
  });
}

function isCgroup({ type }: MountFact): boolean {
  return type === "cgroup" || type === "cgroup2";
}

/** True where something was mounted later on its target or above it; what it is itself mounted on came earlier. */
function isHidden({ target }: MountFact, later: readonly MountFact[]): boolean {
  return later.some((other) => isWithin(target, other.target));
}

/** Names of controllers, to tell them from other mount options. */
function listKnownControllers(memberships: readonly Membership[], readText: ReadText): Set<string> {
  const names = memberships.flatMap(({ controllers }) => controllers).filter((name) => !name.startsWith("name="));
  const table = (readText("/proc/cgroups") ?? "").split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  return new Set([...names, ...table.map((line) => line.split("\t")[0]!)]);
}

function readV1(
  memberships: readonly Membership[],
  visible: readonly MountFact[],
  known: ReadonlySet<string>,
  readText: ReadText,
): Record<string, ControllerFact> {
  const found: Record<string, ControllerFact> = {};
  for (const mount of best(visible.filter(({ type }) => type === "cgroup"))) {
    const joint = mount.superOptions.filter((option) => known.has(option));
    for (const name of joint) {
      if (found[name] !== undefined) continue;
      const path = memberships.find(({ controllers }) => controllers.includes(name))?.path ?? "/";
      const swap = name === "memory" ? { swap: hasSwapV1(mount.target, readText) } : {};
      found[name] = { version: 1, mount: mount.target, self: pathBelow(path, mount.root), joint, ...swap };
    }
  }
  return found;
}

function readV2(unified: Place, readText: ReadText): Record<string, ControllerFact> {
  const names = (readText(`${unified.mount}/cgroup.controllers`) ?? "").split(/\s+/).filter((name) => name !== "");
  return Object.fromEntries(names.map((name) => [name, {
    version: 2,
    ...unified,
    ...(name === "memory" ? { swap: hasSwapV2(unified, readText) } : {}),
  }]));
}

function findUnified(memberships: readonly Membership[], visible: readonly MountFact[]): Place | undefined {
  const mount = best(visible.filter(({ type }) => type === "cgroup2"))[0];
  const path = memberships.find(({ controllers }) => controllers.length === 0)?.path ?? "/";
  return mount === undefined ? undefined : { mount: mount.target, self: pathBelow(path, mount.root) };
}

function findNamed(memberships: readonly Membership[], visible: readonly MountFact[]): Place | undefined {
  const mount = visible.find(({ superOptions }) => superOptions.includes("name=systemd"));
  const path = memberships.find(({ controllers }) => controllers.includes("name=systemd"))?.path ?? "/";
  return mount === undefined ? undefined : { mount: mount.target, self: pathBelow(path, mount.root) };
}

/** A hierarchy may be mounted in several places: writable before read-only, whole before a part, /sys/fs/cgroup first. */
function best(mounts: readonly MountFact[]): MountFact[] {
  const rank = ({ options, root, target }: MountFact): number =>
    (options.includes("ro") ? 4 : 0) + (root === "/" ? 0 : 2) + (target.startsWith("/sys/fs/cgroup") ? 0 : 1);
  return [...mounts].sort((a, b) => rank(a) - rank(b));
}

/**
 * A path of /proc/self/cgroup as a path below the mount point. Both it and the mount's root are told relative to the
 * root of this process's cgroup namespace. Where the way down is not known (a mount root of `/../..` lies above that
 * namespace, and its names are hidden) the answer is `/`.
 */
function pathBelow(path: string, root: string): string {
  if (path.startsWith("/..")) return "/";
  if (root === "/") return path;
  return path.startsWith(`${root}/`) ? path.slice(root.length) : "/";
}

/** The root of a v1 hierarchy has the file where swap is accounted (`memory.rst` of cgroup-v1, section 2.4). */
function hasSwapV1(mount: string, readText: ReadText): boolean {
  return readText(`${mount}/memory.memsw.limit_in_bytes`) !== undefined;
}

/**
 * The root of the unified hierarchy never has `memory.swap.max`, so a group below it is asked: this process's own, and
 * those that are there under systemd or left by an earlier container. Where none has the memory controller, the kernel
 * decides: swap is always accounted from 6.1 on, and before it unless it was booted with `swapaccount=0`.
 */
function hasSwapV2({ mount, self }: Place, readText: ReadText): boolean {
  for (const group of [self, "/init.scope", "/system.slice", "/user.slice", "/paddock"]) {
    if (group === "/") continue;
    if (readText(`${mount}${group}/memory.swap.max`) !== undefined) return true;
    if (readText(`${mount}${group}/memory.max`) !== undefined) return false;
  }
  if (readText("/proc/swaps") === undefined) return false;
  const version = parseKernelVersion(readText("/proc/sys/kernel/osrelease")?.trim() ?? "6.1.0");
  return isKernelAtLeast(version, 6, 1) || !/(^|\s)swapaccount=0(\s|$)/.test(readText("/proc/cmdline") ?? "");
}
