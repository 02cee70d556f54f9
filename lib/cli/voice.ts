/**
 * The voice of use cases on a command line: lines with the program's name, bars on a terminal.
 *
 * @module
 */
import { escapeControl } from "../base/text.ts";
import type { Voice } from "../runtime/voice.ts";
import { createProgress } from "./progress.ts";
import { createProgressLines } from "./progress_lines.ts";
import { writeLog } from "./log.ts";
import type { Host, Words } from "./types.ts";
import { lastValue } from "./words.ts";

/**
 * Speaks on standard error.
 *
 * @param words those of the verb, where warnings go into its log as well.
 */
export function speakOn(host: Host, words?: Words): Voice {
  const file = words === undefined ? undefined : lastValue(words, "log");
  const json = words !== undefined && lastValue(words, "log-format") === "json";
  const note = (line: string) => host.warn(`paddock: ${escapeControl(line)}\n`);
  return {
    note,
    warn: (line) => {
      note(`warning: ${line}`);
      if (file !== undefined) writeLog(host, { file, json }, "warning", line);
    },
    progress: (label) => createProgress(escapeControl(label)),
    bars: () => createProgressLines(),
  };
}

/** Says nothing. */
export function stayQuiet(): Voice {
  return { note: () => {}, warn: () => {}, progress: () => ({ update: () => {}, done: () => {} }) };
}
