/**
 * Where the files of a container in the background are.
 *
 * @module
 */
import type { Detachment } from "../plan/detach.ts";
import type { RunOptions } from "../spec/run_options.ts";
import { LOG_FILE, MONITOR_FILE } from "../state/container.ts";

/** As part of its place: nothing where it is to stay in the foreground. */
export function detachmentOf(
  { detach, logDriver }: Pick<RunOptions, "detach" | "logDriver">,
  { stateDir, dataDir, keep }: { readonly stateDir: string; readonly dataDir: string; readonly keep: boolean },
): { readonly detachment?: Detachment } {
  if (!detach) return {};
  // That of a container which is removed at its end goes with its state.
  const log = `${keep ? dataDir : stateDir}/${LOG_FILE}`;
  return { detachment: { monitorFile: `${stateDir}/${MONITOR_FILE}`, ...(logDriver === "none" ? {} : { log }) } };
}

/** True where a container and what it wrote are there after its end, until they are removed. */
export function isKept({ name, detach, rm }: Pick<RunOptions, "name" | "detach" | "rm">): boolean {
  return (name !== undefined || detach) && !rm;
}
