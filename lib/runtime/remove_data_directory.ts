/**
 * The removal of what a container wrote.
 *
 * @module
 */
import { encodeText } from "../base/byte_string.ts";
import { describeErrno } from "../base/errno.ts";
import type { MountFact } from "../host/facts.ts";
import { parseMountInfo } from "../host/mountinfo.ts";
import { openDirectory } from "../kernel/fs.ts";
import { removeTreeAt } from "../kernel/remove_tree.ts";
import { syscall } from "../kernel/syscall.ts";
import { isThere, readOwner } from "../state/data_directory.ts";
import type { Problem } from "./erase_container.ts";

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

const MNT_DETACH = 2;

/** Takes off every mount at or below a directory, the last one first. */
export function unmountBelow(directory: string): Problem[] {
  const below = readMounts().filter(({ target }) => target === directory || target.startsWith(`${directory}/`));
  return below.reverse().flatMap(({ target }) => {
    const answer = syscall("umount2", target, MNT_DETACH);
    return answer < 0 ? [`umount2 ${target}: ${describeErrno(-answer)}`] : [];
  });
}

/** Of this process's mount namespace. */
export function readMounts(): MountFact[] {
  return parseMountInfo(Deno.readTextFileSync("/proc/self/mountinfo"));
}
