/**
 * `--root` and `--data-root`, which every verb that looks at a container has.
 *
 * @module
 */
import type { Roots } from "../../state/root.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, resolveHostPath } from "./flag.ts";

/** Where state and storage are unless the user says otherwise. */
export const DEFAULT_ROOT = "/run/paddock";
export const DEFAULT_DATA_ROOT = "/var/lib/paddock";

/** Where state and storage are. */
export function readRoots(words: Words, host: Host): Roots {
  return {
    root: readFlag(words, "root", (text) => resolveHostPath(text, host)) ?? DEFAULT_ROOT,
    dataRoot: readFlag(words, "data-root", (text) => resolveHostPath(text, host)) ?? DEFAULT_DATA_ROOT,
  };
}
