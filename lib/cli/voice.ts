/**
 * The voice of use cases on a command line: lines with the program's name, bars on a terminal.
 *
 * @module
 */
import { escapeControl } from "../base/text.ts";
import type { Voice } from "../runtime/voice.ts";
import { createProgress } from "./progress.ts";
import type { Host } from "./types.ts";

/** Speaks on standard error. */
export function speakOn(host: Host): Voice {
  return {
    note: (line) => host.warn(`paddock: ${escapeControl(line)}\n`),
    progress: (label) => createProgress(escapeControl(label)),
  };
}

/** Says nothing. */
export function stayQuiet(): Voice {
  return { note: () => {}, progress: () => ({ update: () => {}, done: () => {} }) };
}
