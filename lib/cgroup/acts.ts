/**
 * What a container wants of its cgroups, and what that comes to.
 *
 * @module
 */
import type { Act, Region, Step } from "../program/step.ts";
import type { Resources } from "../spec/config.ts";

/** What is wanted of the cgroups of one container. */
export interface CgroupRequest {
  /** The container's directory below the parent: "paddock/web". */
  readonly name: string;
  /** A cgroup of the user's, below each mount point; `/` unless given. */
  readonly parent?: string;
  readonly resources: Resources;
  /** v2: at the limit the whole container is killed, and not one process of it (`memory.oom.group`). Not for v1. */
  readonly oomGroup?: boolean;
  /** True where limits may be asked for later: every hierarchy is joined that could hold one. */
  readonly updatable?: boolean;
  /** True where a directory that is there already is taken, as OCI runtimes do: nobody is in it. */
  readonly mayExist?: boolean;
  /** True where systemd has made the cgroup, as the unit of that name, before the launcher begins. */
  readonly systemd?: boolean;
}

/** What a plan does for them, and what others need to know of them. */
export interface CgroupActs {
  /** Memory that the acts write to. */
  readonly regions: Readonly<Record<string, Region>>;
  /** The launcher's, before the child is there. */
  readonly create: readonly Act[];
  /** The child's, before anything else. */
  readonly join: readonly Act[];
  /** The launcher's, after the last process: a refusal goes to the label `leftovers`. */
  readonly remove: readonly Act[];
  /** Absolute directories, for the state record, in the order in which they were made. */
  readonly paths: readonly string[];
  /** Steps that stop the whole container at once, and let it go on; absent where nothing here can. */
  readonly freeze: readonly Step[] | undefined;
  readonly thaw: readonly Step[] | undefined;
  /** False where no hierarchy and no program keeps the container from devices: it must not get CAP_MKNOD then. */
  readonly confinesDevices: boolean;
  /** The one directory of v2, which `clone3` may put the child into by CLONE_INTO_CGROUP; its act of `join` is then not needed. */
  readonly unified: string | undefined;
}
