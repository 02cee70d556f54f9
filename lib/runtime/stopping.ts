/**
 * Containers that are started again when they end: how they are made to end for good.
 *
 * @module
 */
import { findSignal } from "../base/signals.ts";
import { syscall } from "../kernel/syscall.ts";
import { readLauncherPid, seeContainer, type SeenContainer } from "../state/container.ts";
import type { ContainerRecord } from "../state/record.ts";
import { isLocked } from "../state/lock.ts";
import { markStopping } from "../state/restarts.ts";
import type { Roots } from "../state/root.ts";

/** Asks that it is not started again, and gives it as it is then: who is to be sent a signal is looked up after. */
export function endForGood(seen: SeenContainer, roots: Roots): SeenContainer {
  forbidRestart(seen);
  return seeContainer(roots, seen.id) ?? seen;
}

/** Asks that it is not started again. One without a restart policy is not, and nothing is done. */
export function forbidRestart(
  seen: { readonly directory: string; readonly status: string; readonly record: ContainerRecord | undefined },
): void {
  if (seen.record?.restart === undefined || seen.status === "stopped" || seen.status === "dead") return;
  markStopping(seen.directory);
  // A launcher that waits before it starts it again looks when this comes; it means nothing to any other.
  const launcher = readLauncherPid(seen);
  if (launcher !== undefined) killWhileLocked(seen.directory, launcher, findSignal("CHLD"));
}

/** Sends a signal. The lock says that the launcher lives, and so that a number is still the process that was meant. */
export function killWhileLocked(directory: string, pid: number, signal = SIGKILL): void {
  const fd = syscall("pidfd_open", pid, 0);
  if (fd < 0) {
    if (isLocked(directory)) syscall("kill", pid, signal);
    return;
  }
  if (isLocked(directory)) syscall("pidfd_send_signal", fd, signal, null, 0);
  syscall("close", fd);
}

const SIGKILL = 9;
