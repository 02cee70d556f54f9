/**
 * What is done to a container that was created from a bundle: state, kill, delete, pause and resume, list, ps
 * (runtime-spec runtime.md, Operations).
 *
 * Engines match on the words of some errors; those are runc's.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { killCgroups, listProcesses, setFrozen } from "../kernel/cgroup.ts";
import { isThere, syscall } from "../kernel/syscall.ts";
import { parseConfigText } from "../spec/parse.ts";
import { isLive, type LiveContainer, openLive } from "./container_processes.ts";
import { OCI_VERSION } from "../spec/defaults.ts";
import {
  type BundleContainer,
  listBundleContainers,
  openBundleContainer,
  seeBundleContainer,
} from "../state/bundle_container.ts";
import { takeContainer } from "../state/container.ts";
import { recordEvent } from "../state/journal.ts";
import { isLocked } from "../state/lock.ts";
import type { Roots } from "../state/root.ts";
import { findSignal } from "../base/signals.ts";
import { eraseContainer } from "./erase_container.ts";
import { forbidRestart } from "./stopping.ts";
import type { Voice } from "./voice.ts";

/** What `state` prints: runtime.md, State, and what runc adds that engines read. */
export interface OciState {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid: number;
  readonly status: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: string;
}

/** The state of a container. @throws PaddockError where there is none. */
export function readState(id: string, { root }: Roots): OciState {
  return stateOf(openBundleContainer(root, id));
}

/** The states of all. */
export function listStates({ root }: Roots): OciState[] {
  return listBundleContainers(root).map((seen) => ({ ...stateOf(seen), owner: ownerOf(seen) }));
}

/** Who made it: a name, or a number with a mark where it has none, as runc writes them. */
function ownerOf({ directory }: BundleContainer): string {
  const { uid } = Deno.statSync(directory);
  const users = isThere("/etc/passwd") ? Deno.readTextFileSync("/etc/passwd").split("\n") : [];
  return users.map((line) => line.split(":")).find((fields) => fields[2] === String(uid))?.[0] ?? `#${uid}`;
}

function stateOf({ id, record, status, pid }: BundleContainer): OciState {
  return {
    ociVersion: OCI_VERSION,
    id,
    pid: status === "stopped" || pid === undefined ? 0 : pid,
    status,
    bundle: record.bundle ?? "",
    rootfs: record.layers?.[0] ?? "",
    created: record.created,
    ...(record.annotations === undefined ? {} : { annotations: record.annotations }),
    owner: "",
  };
}

/**
 * Sends a signal to the container's first process, or with `all` to every process in its cgroups. A container that was
 * run from an image will do as well.
 *
 * @param signal 0 only looks whether it could be sent.
 * @throws PaddockError where it is neither created nor running.
 */
export function killContainer(id: string, signal: number, all: boolean, roots: Roots): void {
  const found = openLive(id, roots);
  if (ENDING.includes(signal)) forbidRestart(found);
  // Its launcher waits before it starts it again, and ends now.
  if (ENDING.includes(signal) && found.status === "restarting") return;
  const seen = openLive(id, roots);
  if (all) {
    // One that has stopped has none, and that is fine: engines ask before they delete.
    if (signal === SIGKILL) killCgroups(seen.cgroupPaths);
    else for (const pid of listProcesses(seen.cgroupPaths)) syscall("kill", pid, signal);
    return;
  }
  if (!isLive(seen) || seen.pid === undefined) throw new PaddockError("container not running");
  if (signal !== 0) recordEvent(roots.root, "kill", seen.record, { signal: String(signal) });
  sendSignal(seen, seen.pid, signal, roots);
  if (signal !== SIGKILL) return;
  // Without a pid namespace of its own the others would outlive the first process.
  if (!hasOwnPids(seen.directory)) killCgroups(seen.cgroupPaths);
  // What is frozen by v1 dies only when it is thawed.
  if (seen.status === "paused") seen.cgroupPaths.forEach((path) => setFrozen(path, false));
}

/** By a descriptor, after another look: the number may be another's by now. */
function sendSignal({ id }: LiveContainer, pid: number, signal: number, roots: Roots): void {
  const fd = syscall("pidfd_open", pid, 0);
  if (isLive(openLive(id, roots))) {
    const sent = fd < 0 ? syscall("kill", pid, signal) : syscall("pidfd_send_signal", fd, signal, null, 0);
    if (sent < 0) throw new PaddockError("os: process already finished");
  }
  if (fd >= 0) syscall("close", fd);
}

function hasOwnPids(directory: string): boolean {
  const { namespaces } = parseConfigText(Deno.readTextFileSync(`${directory}/config.json`)).linux;
  return namespaces.some(({ type, path }) => type === "pid" && path === undefined);
}

const SIGKILL = 9;

/** Signals that a container is to end by, and not to be started again after. */
const ENDING = ["KILL", "TERM", "INT", "QUIT"].map(findSignal);
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
  const { id, directory, record } = seen;
  const owned = await takeOver(roots, id);
  // One that was run in the foreground is deleted by its launcher, which may be first.
  if (owned === "gone" && record.launcherPid !== undefined) return;
  if (typeof owned !== "object") throw new PaddockError(`container '${id}' is being created or deleted by another`);
  // Most verbs have no use for them.
  const { readHooks, runPoststop } = await import("./hooks.ts");
  const hooks = readHooks(directory, id, record);
  const problems = await eraseContainer(owned, roots, record);
  if (problems.length > 0) {
    throw new PaddockError(`cannot delete container ${id}: ${problems.join("; ")}`, { hint: "try again" });
  }
  runPoststop(hooks, voice);
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

/** Freezes a running container, or lets it go on. @throws PaddockError where it is in no state for that. */
export function pauseContainer(id: string, frozen: boolean, roots: Roots): void {
  const seen = openLive(id, roots);
  const from = frozen ? ["running", "created"] : ["paused"];
  if (!from.includes(seen.status)) throw new PaddockError(frozen ? "container not running" : "container not paused");
  if (!seen.cgroupPaths.some((path) => hasFreezer(path))) {
    throw new PaddockError("cannot pause: the container has no cgroup with a freezer", { hint: "see paddock doctor" });
  }
  seen.cgroupPaths.forEach((path) => setFrozen(path, frozen));
  recordEvent(roots.root, frozen ? "pause" : "unpause", seen.record);
}

function hasFreezer(path: string): boolean {
  return isThere(`${path}/freezer.state`) || isThere(`${path}/cgroup.freeze`);
}
