/**
 * The end of a container's traces: cgroups, mounts, what it wrote, and last its state directory.
 *
 * In this order, because the state directory is what the next attempt finds the others by.
 *
 * @module
 */
import { describeErrno } from "../base/errno.ts";
import { PARENT, removeCgroups } from "../kernel/cgroup.ts";
import { syscall } from "../kernel/syscall.ts";
import { type OwnedContainer, readRecord } from "../state/container.ts";
import { recordEvent } from "../state/journal.ts";
import { dataDirectoryOf, isThere } from "../state/data_directory.ts";
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
    // One from a bundle has none.
    if (!isThere(directory)) continue;
    const { removeDataDirectory } = await import("./remove_data_directory.ts");
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
  const paths = record?.cgroupPaths.filter(isThere) ?? await findCgroupsOf(id);
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
async function findCgroupsOf(id: string): Promise<string[]> {
  const { readMounts } = await import("./remove_data_directory.ts");
  return readMounts().filter(({ type }) => type === "cgroup" || type === "cgroup2")
    .map(({ target }) => `${target}/${PARENT}/${id}`).filter(isThere);
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
