/**
 * The log of `--log`: one line for each thing, in the form of runc's, which engines read.
 *
 * @module
 */
import type { Host } from "./types.ts";

/** Where the log is, and in which form. */
export interface Log {
  readonly file: string;
  /** `--log-format json`; else the text form of logrus. */
  readonly json: boolean;
}

/** Adds a line. A log that cannot be written is no reason to fail: standard error has the same. */
export function writeLog(host: Host, { file, json }: Log, level: "error" | "warning", message: string): void {
  const entry = { level, msg: message, time: new Date().toISOString() };
  const line = json
    ? JSON.stringify(entry)
    : `time=${JSON.stringify(entry.time)} level=${level} msg=${JSON.stringify(entry.msg)}`;
  host.append(file, `${line}\n`);
}
