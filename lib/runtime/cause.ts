/**
 * What ended a container, in a few words. Pure.
 *
 * @module
 */
import { nameSignal } from "../base/signals.ts";
import type { ContainerExit } from "../state/record.ts";

/** Undefined where the exit code says all. */
export function nameCause({ error, oom, signal }: ContainerExit): string | undefined {
  if (error !== undefined) return "could not be started";
  if (oom) return "out of memory";
  return signal === undefined ? undefined : `SIG${nameSignal(signal)}`;
}
