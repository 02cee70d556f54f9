/**
 * What a container needs that is created first and started later (`created.ts`).
 *
 * @module
 */

/** What a container that is created has beside the others. */
export interface Creation {
  /** Path of the fifo that `start` writes to; it is there. */
  readonly fifo: string;
  /** Files that the process id is written to, in decimal digits. */
  readonly pidFiles: readonly string[];
  /** Path of a unix socket that the terminal's master is sent to. */
  readonly consoleSocket?: string;
}
