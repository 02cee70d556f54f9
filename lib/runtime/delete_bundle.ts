/**
 * `paddock delete`: removes a container that was created from a bundle (runtime-spec runtime.md, Delete).
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { killCgroups } from "../kernel/cgroup.ts";
import { isThere, syscall } from "../kernel/syscall.ts";
import { type BundleContainer, openBundleContainer, seeBundleContainer } from "../state/bundle_container.ts";
import { takeContainer } from "../state/container.ts";
import { isLocked } from "../state/lock.ts";
import type { Roots } from "../state/root.ts";
import { eraseContainer } from "./erase_container.ts";
import type { Voice } from "./voice.ts";

const SIGKILL = 9;
const PATIENCE = 10_000;

/**
 * Removes what `create` made.
 *
 * @param force end it first; one that is not there is fine.
 * @throws PaddockError where it has not stopped.
 */
export async function deleteBundle(id: string, force: boolean, roots: Roots, voice: Voice): Promise<void> {
  if (force && seeBundleContainer(roots.root, id) === undefined && !isThere(`${roots.root}/${id}`)) return;
  const seen = openBundleContainer(roots.root, id);
  if (seen.status !== "stopped") {
    // A container that was never started has run nothing of its own.
    if (!force && seen.status !== "created") {
      throw new PaddockError(`cannot delete container ${id} that is not stopped: ${seen.status}`);
    }
    await endBundle(seen);
  }
  await removeBundle(seen, roots, voice);
}

/**
 * Removes what is left of a container that has ended, and runs the hooks that follow.
 *
 * @throws PaddockError where something cannot be removed.
 */
export async function removeBundle(seen: BundleContainer, roots: Roots, voice: Voice): Promise<void> {
  const { id, record } = seen;
  const owned = await takeOver(roots, id);
  // One that was run in the foreground is deleted by its launcher, which may be first.
  if (owned === "gone" && record.launcherPid !== undefined) return;
  if (typeof owned !== "object") throw new PaddockError(`container '${id}' is being created or deleted by another`);
  const runHooks = await readyPoststop(seen, voice);
  const problems = await eraseContainer(owned, roots, record);
  if (problems.length > 0) {
    throw new PaddockError(`cannot delete container ${id}: ${problems.join("; ")}`, { hint: "try again" });
  }
  runHooks();
}

/** The hooks to be run when the container's directory is gone. Most have none, and a look at the text tells that. */
async function readyPoststop({ directory, id, record }: BundleContainer, voice: Voice): Promise<() => void> {
  const path = `${directory}/config.json`;
  if (!isThere(path) || !Deno.readTextFileSync(path).includes('"poststop"')) return () => {};
  const { readHooks, runPoststop } = await import("./hooks.ts");
  const hooks = readHooks(directory, id, record);
  return () => runPoststop(hooks, voice);
}

/** What holds the lock of a container that has stopped is about to let it go: its launcher, or another `delete`. */
async function takeOver({ root }: Roots, id: string): Promise<ReturnType<typeof takeContainer>> {
  for (const end = Date.now() + PATIENCE;;) {
    const owned = takeContainer(root, id);
    if (owned !== "held" || Date.now() > end) return owned;
    await new Promise((done) => setTimeout(done, 5));
  }
}

/** Kills all of its processes, and waits for its end. @throws PaddockError where that does not come. */
export async function endBundle(seen: BundleContainer): Promise<void> {
  const root = seen.directory.slice(0, seen.directory.lastIndexOf("/"));
  for (const end = Date.now() + PATIENCE; Date.now() < end;) {
    // Again each time: one that is being created may only now enter them.
    if (seen.record.cgroupPaths.length > 0) killCgroups(seen.record.cgroupPaths);
    if (seen.pid !== undefined) syscall("kill", seen.pid, SIGKILL);
    const now = seeBundleContainer(root, seen.id);
    if (now === undefined || now.status === "stopped") return;
    // Whoever was creating it has been killed, and so has what was to be its first process.
    if (now.status === "creating" && !isLocked(now.directory)) return;
    await new Promise((done) => setTimeout(done, 5));
  }
  throw new PaddockError(`container '${seen.id}' does not end: a process in it cannot be killed`);
}
