/**
 * What is done to the processes of a container that was created from a bundle: kill, pause and resume (runtime-spec
 * runtime.md, Operations).
 *
 * Engines match on the words of some errors; those are runc's.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { findSignal } from "../base/signals.ts";
import { killCgroups, listProcesses, setFrozen } from "../kernel/cgroup.ts";
import { isThere, syscall } from "../kernel/syscall.ts";
import { recordEvent } from "../state/journal.ts";
import type { Roots } from "../state/root.ts";
import { isLive, type LiveContainer, openLive } from "./container_processes.ts";
import { forbidRestart } from "./stopping.ts";

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

/** By the configuration that `create` has checked and kept. */
function hasOwnPids(directory: string): boolean {
  const { linux } = JSON.parse(Deno.readTextFileSync(`${directory}/config.json`)) as KeptConfig;
  return linux?.namespaces?.some(({ type, path }) => type === "pid" && path === undefined) === true;
}

interface KeptConfig {
  readonly linux?: { readonly namespaces?: readonly { readonly type: string; readonly path?: string }[] };
}

const SIGKILL = 9;

/** Signals that a container is to end by, and not to be started again after. */
const ENDING = ["KILL", "TERM", "INT", "QUIT"].map(findSignal);

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
