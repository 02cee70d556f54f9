/**
 * What a launcher and paddock tell each other of a container that is started again when it ends: two files in its state
 * directory.
 *
 * @module
 */
import { AT } from "../kernel/constants.ts";
import { syscall } from "../kernel/syscall.ts";
import { isThere } from "./data_directory.ts";

/** The name of the file that says: it is to end for good. */
export const STOPPING_FILE = "stopping";

/** The name of the launcher's file with the count. */
export const RESTARTS_FILE = "restarts";

/** How often the launcher of a container has started it again by itself. */
export function countRestarts(directory: string): number {
  return Number(readWords(directory)?.getBigUint64(0, true) ?? 0);
}

/** The exit code that the last restart followed, by the rules of the launcher (`man 2 wait4`); absent where there was none. */
export function readLastCode(directory: string): number | undefined {
  const words = readWords(directory);
  if (words === undefined) return undefined;
  const status = Number(words.getBigUint64(16, true));
  const signal = status & 0x7f;
  return signal === 0 ? (status >> 8) & 0xff : 128 + signal;
}

/** Three words of 64 bits: the count, the next pause, the wait status. */
function readWords(directory: string): DataView | undefined {
  const path = `${directory}/${RESTARTS_FILE}`;
  if (!isThere(path)) return undefined;
  const bytes = Deno.readFileSync(path);
  return bytes.length < 24 ? undefined : new DataView(bytes.buffer);
}

/** Whether somebody has asked it to end for good. */
export function isStopping(directory: string): boolean {
  return isThere(`${directory}/${STOPPING_FILE}`);
}

/** Asks it to end for good: it is not started again from now on. */
export function markStopping(directory: string): void {
  Deno.writeTextFileSync(`${directory}/${STOPPING_FILE}`, "", { mode: 0o600 });
}

/** Removes both files: its record says it all, or it begins anew. */
export function forgetRestarts(directory: string): void {
  for (const name of [STOPPING_FILE, RESTARTS_FILE]) syscall("unlinkat", AT.FDCWD, `${directory}/${name}`, 0);
}
