/**
 * What a launcher in the cache is made from, and looks at again before it runs (`freshness.ts`).
 *
 * @module
 */

/** What paddock saw of the host, as the kernel gave it. */
export interface Seen {
  /** Files that were read whole. */
  readonly files: readonly SeenFile[];
  /** Files inside a rootfs that is not to be trusted, and that somebody may change. */
  readonly rootFiles?: { readonly root: string; readonly files: readonly SeenFile[] };
  readonly inodes: readonly SeenInode[];
  /** `struct utsname` (`man 2 uname`): among others the host's name. */
  readonly utsname: Uint8Array;
  /** The sets of `capget(2)`. */
  readonly capabilities: Uint8Array;
  /** Bytes of swap over all devices. */
  readonly swapTotal: number;
  /** Whether it began at a terminal; absent where that did not matter. */
  readonly terminal?: boolean;
}

/** A file and what was in it; without bytes there was none. */
export interface SeenFile {
  readonly path: string;
  readonly bytes?: Uint8Array;
}

/** A file of which only the inode was looked at. */
export interface SeenInode {
  readonly path: string;
  /** `struct statx` (`man 2 statx`). */
  readonly statx: Uint8Array;
  /** True where its content counts as well: its size and times must be the same. */
  readonly whole: boolean;
}

/** What a launcher in the cache has beside the others. */
export interface CachedRun {
  readonly seen: Seen;
  /** The directory with those of all containers: what a dead one left there is for paddock to remove. */
  readonly stateRoot: string;
  /** The text of `config.json` in the state directory. */
  readonly config: string;
  /** What `state.json` there says, beside the paths of the cgroups. */
  readonly record: Readonly<Record<string, unknown>>;
  /** Paddock as it was called; the environment is with the launcher, as `environmentSteps` finds it. */
  readonly anew: { readonly file: string; readonly argv: readonly string[] };
}
