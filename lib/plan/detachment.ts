/**
 * What a plan needs to know of a container in the background.
 *
 * @module
 */

/** How a container in the background is set up. */
export interface Detachment {
  /** The file that its output goes to, absolute; absent: nowhere. */
  readonly log?: string;
  /** The pipe that is its standard input, made where there is none; absent: it has none, or a terminal. */
  readonly input?: string;
  /** A pump writes to the log, with times, and begins new files; absent: it is written to directly. */
  readonly pump?: LogRotation;
  /** Its output goes to the journal of systemd, under this name; there is no log then. */
  readonly journald?: string;
  /** The file that the monitor's process id is written to, in seven digits. */
  readonly monitorFile: string;
  /** Whether it is started again when it ends; absent: never. */
  readonly restart?: RestartPlan;
}

/** When a log is renamed, so that a new one begins. */
export interface LogRotation {
  /** Bytes. */
  readonly maxSize: number;
  /** How many files there are at most, the one that is written to among them. */
  readonly maxFiles: number;
}

/** Which ends of a container are followed by a new start. */
export interface RestartPlan {
  /** Codes other than 0 only, and so many times at most; absent: any end. */
  readonly onFailure?: { readonly atMost?: number };
  /** File that says: it is to end for good. */
  readonly stoppingFile: string;
  /** File of three words of 64 bits: how often it was started again, the next pause, the last wait status. */
  readonly countFile: string;
}
