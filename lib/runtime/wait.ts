/**
 * `paddock wait`: until a container has ended, and with which code.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { openProcess } from "../kernel/pidfd.ts";
import { openContainer, readLauncherPid, seeContainer, type SeenContainer } from "../state/container.ts";
import { isLocked } from "../state/lock.ts";
import type { Roots } from "../state/root.ts";

/**
 * The exit code of a container, when it has ended.
 *
 * @throws PaddockError where there is none, or nobody knows how it ended.
 */
export async function waitForContainer(idOrName: string, roots: Roots): Promise<number> {
  const seen = openContainer(roots, idOrName);
  const watched = await waitForEnd(seen);
  const exit = seeContainer(roots, seen.id)?.record?.exit;
  if (exit !== undefined) return exit.code;
  if (watched.status !== undefined) return codeOf(watched.status);
  throw new PaddockError(`container '${seen.id}' has ended, and how is not known`, {
    hint: watched.ended && seen.record?.keep === false
      ? "it was run with --rm, and this kernel (before 6.15) does not tell of the ends of other people's processes"
      : "its launcher was killed",
  });
}

/** How the wait for a launcher ended. */
export interface Ended {
  /** False where the time was over first. */
  readonly ended: boolean;
  /** The launcher's wait status, where it lived when the wait began and the kernel tells. */
  readonly status?: number;
}

/**
 * Waits until a container's launcher has ended, and with it all that it had to do.
 *
 * @param milliseconds at most; for ever unless given.
 */
export async function waitForEnd(seen: SeenContainer, milliseconds = Infinity): Promise<Ended> {
  const { directory } = seen;
  const until = Date.now() + milliseconds;
  const pid = readLauncherPid(seen);
  using handle = pid === undefined ? undefined : openProcess(pid);
  // Only while the lock is held is that number the launcher's.
  const isLauncher = handle !== undefined && isLocked(directory);
  while (isLocked(directory)) {
    const left = until - Date.now();
    if (left <= 0) return { ended: false };
    if (isLauncher) {
      if (handle.waitForEnd(Math.min(left, LONGEST)) && !isLocked(directory)) break;
    }
    // The lock may have gone to somebody who cleans up, and without descriptors of processes there is only looking.
    if (isLocked(directory)) await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const status = isLauncher ? readStatus(handle) : undefined;
  return { ended: true, ...(status === undefined ? {} : { status }) };
}

/** The longest wait in one call, so that Ctrl-C has its way in between, milliseconds. */
const LONGEST = 60_000;

/** The kernel has it when the process was reaped, which whoever does it may not have got to yet. */
function readStatus(
  handle: { status(): number | undefined; waitForEnd(milliseconds: number): boolean },
): number | undefined {
  for (let tries = 0; tries < 20; tries++) {
    const status = handle.status();
    if (status !== undefined) return status;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
  }
  return undefined;
}

/** By the rules of the launcher (`man 2 wait4`). */
function codeOf(status: number): number {
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}
