/**
 * What a plan needs to know beside the container's Config and the host's Facts: where this one container lives on this
 * host, and who is there when it ends.
 *
 * @module
 */
import type { Act, Region, Step } from "../program/step.ts";
import type { Creation } from "./creation.ts";
import type { Scope } from "./scope.ts";
import type { ListenerState } from "./seccomp/listener_state.ts";
import type { Detachment } from "./detachment.ts";
import type { CachedRun } from "./seen.ts";

/** Where a container lives, and what surrounds it. */
export interface Setting {
  /** Name of its directories and cgroups. Where it is not `prepared` its last digits are those of `RUN_ID_DIGITS`. */
  readonly id: string;
  /** Shown by `ps` as `paddock: NAME`. */
  readonly name: string;
  readonly rootfs: RootfsSource;
  /** `/run/paddock/ID`. */
  readonly stateDir: string;
  /** Files of `stateDir` that the launcher removes when nothing is left to tell. */
  readonly stateFiles: readonly string[];
  /** True where paddock made `stateDir`, and holds its lock in descriptor `LOCK_FD`; else the launcher does it. */
  readonly prepared: boolean;
  /** Content of files that are laid over those of the rootfs, by absolute path in the container. */
  readonly files: Readonly<Record<string, string>>;
  /** Mount points that are there in the rootfs: the others are made by the program, which grows with each. */
  readonly present: ReadonlySet<string>;
  /** What each bind mount's source is on the host: a directory, or anything else, which is mounted onto a file. */
  readonly sources: Readonly<Record<string, "directory" | "file">>;
  /** Absolute, below each controller's mount point. */
  readonly cgroupParent?: string;
  /** With a terminal: what is typed is passed on. */
  readonly interactive: boolean;
  /** Process 1 is a small init of ours, the command its child. */
  readonly init: boolean;
  /** What is executed at the end when there is something to tell or to clean; absent: the launcher stands alone. */
  readonly finish?: { readonly argv: readonly string[]; readonly env: readonly string[] };
  /** The directory with volumes of a container whose rootfs has none to keep them in; removed at the end. */
  readonly dataDir?: string;
  /** True where the record and what was written are kept after the end. */
  readonly keep: boolean;
  /** Every step is told with its result at the end. */
  readonly trace: boolean;
  /** Where systemd makes the cgroup; else the launcher does. */
  readonly scope?: Scope;
  /** True where nobody makes one: the container stays in the caller's. */
  readonly withoutCgroups?: true;
  /** For a container that waits to be started; nobody watches over it then but whoever called. */
  readonly creation?: Creation;
  /** The filter of system calls that the Config asks for, compiled (`seccomp/compile.ts`); absent where it asks for none. */
  readonly filter?: Uint8Array;
  /** What the agent of a filter with `SCMP_ACT_NOTIFY` is told of the container. */
  readonly listener?: ListenerState;
  /** How many descriptors of the caller's the command gets (`descriptors.ts`). */
  readonly preserved?: number;
  /** True where the rootfs covers the host's root and does not take its place, for ramdisks. */
  readonly noPivot?: true;
  /** The name of the session keyring; `false`: it is the caller's; absent: one without a name. */
  readonly keyring?: string | false;
  /** The bundle that the container is made from, absolute: what hooks are told, and where those of the runtime begin. */
  readonly bundle?: string;
  /** For a container in the background; absent: the caller waits for its end. */
  readonly detachment?: Detachment;
  /** The network that it is connected with; absent where its namespace has none, or is another's. */
  readonly network?: NetworkActs;
  /** The journal that its events are written to; absent where nobody is told of them. */
  readonly journal?: Journal;
  /** For a launcher that the next run of the same words takes from the cache; it is never `prepared`. */
  readonly cached?: CachedRun;
}

/** Where events are written, and what each line says of its container. */
export interface Journal {
  /** Absolute. */
  readonly file: string;
  readonly about: Readonly<Record<string, unknown>>;
}

/** The acts by which a container is connected with a network (`network.ts`), each set where it has its place. */
export interface NetworkActs {
  /** In the launcher, before the clone. */
  readonly before: readonly Act[];
  /**
   * Between the clone and the exec, by who may change the host's network.
   *
   * @param namespace the steps of which the last one gives a descriptor of the container's network namespace.
   * @param fault label of the step that takes over at a failure.
   */
  readonly connect: (namespace: readonly Step[], fault: string) => readonly Act[];
  /** In the container, behind that. */
  readonly within: readonly Act[];
  /** In the launcher, when the container is over. */
  readonly after: readonly Act[];
  /** In place of `after`, before it is started again: what it was given stays its own. */
  readonly again: readonly Act[];
  readonly regions: Readonly<Record<string, Region>>;
}

/** Where the root filesystem comes from. */
export type RootfsSource =
  /** A directory as it is: what the container writes is written there. */
  | {
    readonly kind: "directory";
    readonly path: string;
    /** True where files belong to the ids of the container's user namespace already, as those of an OCI bundle do. */
    readonly owned?: boolean;
    /** Layers that are laid over one another there before the launcher starts, where the kernel has no overlay for it. */
    readonly merged?: MergedLayers;
  }
  | OverlayRootfs;

/** How layers become one directory without the kernel's overlay. */
export interface MergedLayers {
  /** `fuse`: fuse-overlayfs mounts them, with `upper` and `work` beside the rootfs; `copy`: they are copied. */
  readonly by: "fuse" | "copy";
  /** The topmost first. */
  readonly lower: readonly string[];
}

/** Directories that stay as they are, with a throw-away one over them. */
export interface OverlayRootfs {
  readonly kind: "overlay";
  /** The topmost first. */
  readonly lower: readonly string[];
  /** The container's own directory, in which `upper`, `work` and `rootfs` are made; there is one if `prepared`. */
  readonly directory: string;
  /** What is written goes into memory, and is gone with the container without anybody to remove it. */
  readonly inMemory?: boolean;
  /** True for a container that is started once more: what it wrote is there. */
  readonly again?: true;
  /** A directory that takes what is written, in place of `directory`/upper; on the same filesystem as `directory`. */
  readonly upper?: string;
  /** Filesystems mounted below the lower directory that are to be seen as well, each under an overlay of its own. */
  readonly below?: readonly string[];
}

/** The descriptor in which a launcher holds the lock of its container's state directory. */
export const LOCK_FD = 3;

/** Stands in names of a launcher that runs many times for its process id, which it writes there when it starts. */
export const RUN_ID_DIGITS = "0000000";
