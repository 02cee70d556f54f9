/**
 * The end of a container's traces: cgroups, mounts, what it wrote, and last its state directory.
 *
 * In this order, because the state directory is what the next attempt finds the others by.
 *
 * @module
 */
import { encodeText } from "../base/byte_string.ts";
import { describeErrno } from "../base/errno.ts";
import type { MountFact } from "../host/facts.ts";
import { parseMountInfo } from "../host/mountinfo.ts";
import { PARENT, removeCgroups } from "../kernel/cgroup.ts";
import { openDirectory } from "../kernel/fs.ts";
import { removeTreeAt } from "../kernel/remove_tree.ts";
import { syscall } from "../kernel/syscall.ts";
import { type OwnedContainer, readRecord } from "../state/container.ts";
import { recordEvent } from "../state/journal.ts";
import { dataDirectoryOf, isThere, readOwner } from "../state/data_directory.ts";
import type { ContainerRecord } from "../state/record.ts";
import type { Roots } from "../state/root.ts";

/** A thing that could not be removed, and why, in one line. */
export type Problem = string;

/**
 * Removes all that a container had. Its lock is ours, so its launcher is dead; processes that are left in its cgroups
 * are killed. Where something cannot be removed the state directory stays, so that a later attempt finds it.
 *
 * @returns what could not be removed; the lock is given up either way.
 */
export async function eraseContainer(
  owned: OwnedContainer,
  roots: Roots,
  record: ContainerRecord | undefined = readRecord(owned.directory),
): Promise<Problem[]> {
  const problems = [
    ...await removeCgroupsOf(owned.id, record),
    ...await leaveNetworkOf(owned.directory, roots, record),
  ];
  problems.push(...(record?.resctrlPaths ?? []).flatMap(removeResctrl));
  const own = dataDirectoryOf(roots.dataRoot, owned.id);
  for (const directory of new Set([record?.dataDir ?? own, own])) {
    problems.push(...removeDataDirectory(directory, owned.directory));
  }
  if (problems.length > 0) owned.lock.release();
  else {
    owned.remove();
    recordEvent(roots.root, "destroy", record);
  }
  return problems;
}

/** Kills what is left in the container's cgroups, and removes them, and the unit that they belong to. */
export async function removeCgroupsOf(id: string, record: ContainerRecord | undefined): Promise<Problem[]> {
  const { unit, cgroupPaths = [] } = record ?? {};
  if (unit !== undefined) {
    const { endScope } = await import("./scope.ts");
    const problems = await attempt(() => endScope(unit, cgroupPaths));
    if (problems.length > 0) return problems;
  }
  const paths = record?.cgroupPaths.filter(isThere) ?? findCgroupsOf(id);
  return paths.length === 0 ? [] : await attempt(() => removeCgroups(paths));
}

/** Gives back what a container had of a network. */
export async function leaveNetworkOf(
  directory: string,
  { dataRoot }: Roots,
  record: ContainerRecord | undefined,
): Promise<Problem[]> {
  const attachment = record?.network;
  if (attachment === undefined) return [];
  const { leaveNetwork } = await import("./leave_network.ts");
  return await attempt(() => Promise.resolve(leaveNetwork(dataRoot, directory, attachment)));
}

/** A directory of resctrl goes with whoever is in it: they fall back to the one above (Documentation/filesystems/resctrl.rst). */
export function removeResctrl(path: string): Problem[] {
  const [AT_FDCWD, AT_REMOVEDIR, ENOENT] = [-100, 0x200, 2];
  const answer = syscall("unlinkat", AT_FDCWD, path, AT_REMOVEDIR);
  return answer === 0 || answer === -ENOENT ? [] : [`cannot remove ${path}: ${describeErrno(-answer)}`];
}

/** Where the cgroups of a container without a record are: a launcher that stands alone writes none. */
function findCgroupsOf(id: string): string[] {
  return readMounts().filter(({ type }) => type === "cgroup" || type === "cgroup2")
    .map(({ target }) => `${target}/${PARENT}/${id}`).filter(isThere);
}

/**
 * Removes a container's data directory, unless it belongs to another state directory than the one given.
 *
 * Nothing should be mounted in there: a container's mounts are in its own namespace. Should there be a mount all the
 * same it is taken off first, and where that fails nothing is removed, because a removal would go on inside it.
 */
export function removeDataDirectory(directory: string, stateDirectory: string): Problem[] {
  if (!isThere(directory)) return [];
  const owner = readOwner(directory);
  if (owner !== undefined && owner !== stateDirectory && isThere(owner)) return [];
  const problems = unmountBelow(directory);
  if (problems.length > 0) return problems;
  try {
    const slash = directory.lastIndexOf("/");
    using parent = openDirectory(directory.slice(0, slash));
    removeTreeAt(parent.number, encodeText(directory.slice(slash + 1)));
    return [];
  } catch (error) {
    return [`${directory}: ${(error as Error).message}`];
  }
}

/** Does something, and gives what went wrong with it. */
export async function attempt(body: () => Promise<void>): Promise<Problem[]> {
  try {
    await body();
    return [];
  } catch (error) {
    return [(error as Error).message];
  }
}

const MNT_DETACH = 2;

/** Takes off every mount at or below a directory, the last one first. */
export function unmountBelow(directory: string): Problem[] {
  const below = readMounts().filter(({ target }) => target === directory || target.startsWith(`${directory}/`));
  return below.reverse().flatMap(({ target }) => {
    const answer = syscall("umount2", target, MNT_DETACH);
    return answer < 0 ? [`umount2 ${target}: ${describeErrno(-answer)}`] : [];
  });
}

function readMounts(): MountFact[] {
  return parseMountInfo(Deno.readTextFileSync("/proc/self/mountinfo"));
}
