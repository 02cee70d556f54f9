/**
 * `paddock stop`: asks a container to end, and ends it when it does not.
 *
 * @module
 */
import { findSignal } from "../base/signals.ts";
import { ANNOTATIONS } from "../spec/from_options.ts";
import { parseConfigText } from "../spec/parse.ts";
import { openContainer, type SeenContainer } from "../state/container.ts";
import { recordEvent } from "../state/journal.ts";
import type { Roots } from "../state/root.ts";
import { endContainer } from "./rm.ts";
import { endForGood, killWhileLocked } from "./stopping.ts";
import { waitForEnd } from "./wait.ts";

/** How a container is asked to end. */
export interface StopOptions {
  /** How long it may take, seconds; -1: as long as it wants; absent: as it was made with. */
  readonly patience?: number;
  /** The signal's name, in place of the container's own. */
  readonly signal?: string;
}

/**
 * Sends the container's stop signal, and kills it where it has not ended in time. One that has ended stays as it is.
 *
 * @throws PaddockError where there is none, or it cannot be ended.
 */
export async function stopContainer(idOrName: string, options: StopOptions, roots: Roots): Promise<void> {
  const seen = endForGood(openContainer(roots, idOrName), roots);
  if (seen.status !== "running" && seen.status !== "restarting") return;
  if (seen.pid !== undefined) {
    const signal = findSignal(options.signal ?? signalOf(seen));
    recordEvent(roots.root, "kill", seen.record, { signal: String(signal) });
    killWhileLocked(seen.directory, seen.pid, signal);
  }
  if (!(await waitForEnd(seen, patienceOf(seen, options))).ended) await endContainer(seen);
  recordEvent(roots.root, "stop", seen.record);
}

/** How long a container may take to end where nothing is said of it, seconds; docker's. */
export const STOP_SECONDS = 10;

/** Milliseconds. */
function patienceOf({ record }: SeenContainer, { patience }: StopOptions): number {
  const seconds = patience ?? record?.stopTimeout ?? STOP_SECONDS;
  return seconds < 0 ? Infinity : seconds * 1000;
}

/** By the annotation of its configuration; what it says was checked when it was made. */
function signalOf({ directory }: SeenContainer): string {
  try {
    const { annotations } = parseConfigText(Deno.readTextFileSync(`${directory}/config.json`));
    return annotations[ANNOTATIONS.stopSignal] ?? "TERM";
  } catch {
    // A compiled launcher writes none.
    return "TERM";
  }
}
