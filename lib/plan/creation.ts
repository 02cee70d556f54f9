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
  /** Path of a unix socket that a descriptor of the process is sent to. */
  readonly pidfdSocket?: string;
  /**
   * Absent: it waits for `start`. `detach`: the launcher lets it go itself, and ends. `watch`: lets it go, and watches
   * over it until its end.
   */
  readonly then?: "detach" | "watch";
  /** True where paddock has something to do at its end, however that is. */
  readonly tells?: boolean;
  /**
   * Path of a file that gets the record of what failed between start and exec; `start` waits for the exec then. Absent
   * where it does not.
   */
  readonly report?: string;
}

/** True where a launcher is there for as long as the container is. */
export function isWatched({ creation }: { readonly creation?: Creation }): boolean {
  return creation === undefined || creation.then === "watch";
}
