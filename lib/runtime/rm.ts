/**
 * `paddock rm`: removes a container that is kept, and with force one that runs.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { killCgroups } from "../kernel/cgroup.ts";
import {
  adoptContainer,
  openContainer,
  type OwnedContainer,
  readLauncherPid,
  type SeenContainer,
} from "../state/container.ts";
import { isLocked } from "../state/lock.ts";
import type { Roots } from "../state/root.ts";
import { checkTransition } from "../state/status.ts";
import { deleteBundle } from "./delete_bundle.ts";
import { eraseContainer } from "./erase_container.ts";
import { endForGood, killWhileLocked } from "./stopping.ts";
import type { Voice } from "./voice.ts";

/**
 * Removes a container and all that it wrote.
 *
 * @param force end it first where it runs.
 * @throws PaddockError where there is none, where it runs and `force` is not given, or where something of it stays.
 */
export async function removeContainer(
  idOrName: string,
  { force }: { readonly force: boolean },
  roots: Roots,
  voice: Voice,
): Promise<void> {
  const found = openContainer(roots, idOrName);
  const seen = force ? endForGood(found, roots) : found;
  if (seen.record?.bundle !== undefined) return await deleteBundle(seen.id, force, roots, voice);
  if (force && (seen.status === "running" || seen.status === "restarting")) await endContainer(seen);
  else checkTransition(seen.id, seen.status, "remove");
  const owned = adopt(roots, seen.id);
  // Its launcher removed it as it ended.
  if (owned === undefined) return;
  const problems = await eraseContainer(owned, roots, seen.record);
  if (problems.length > 0) {
    throw new PaddockError(`cannot remove container '${seen.id}': ${problems.join("; ")}`, {
      hint: "when that is mended: paddock gc",
    });
  }
}

function adopt(roots: Roots, id: string): OwnedContainer | undefined {
  const owned = adoptContainer(roots, id);
  if (typeof owned === "object") return owned;
  if (owned === "gone") return undefined;
  throw new PaddockError(`cannot remove container '${id}': another paddock has taken it up`, { hint: "try again" });
}

/** How long a launcher may take to clean up after its container was killed, milliseconds. */
const PATIENCE = 10_000;

/**
 * Kills everything in the container's cgroups and waits for its launcher to clean up; a launcher that does not end is
 * killed after.
 */
export async function endContainer(seen: SeenContainer): Promise<void> {
  const { id, directory, record, pid } = seen;
  if (record !== undefined && record.cgroupPaths.length > 0) killCgroups(record.cgroupPaths);
  // Without a cgroup its first process is killed, and with that all of its pid namespace.
  else if (pid !== undefined) killWhileLocked(directory, pid);
  if (await waitForEnd(directory, PATIENCE)) return;
  const launcher = readLauncherPid(seen);
  if (launcher !== undefined) killWhileLocked(directory, launcher);
  if (await waitForEnd(directory, PATIENCE)) return;
  throw new PaddockError(`container '${id}' does not end: a process in it cannot be killed`, {
    hint: "it waits in the kernel, for a disk or a network filesystem: see ps -eo pid,stat,wchan,comm",
  });
}

async function waitForEnd(directory: string, milliseconds: number): Promise<boolean> {
  for (const end = Date.now() + milliseconds; Date.now() < end;) {
    if (!isLocked(directory)) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return !isLocked(directory);
}
