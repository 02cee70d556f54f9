/**
 * What paddock knows of the host, as one plain value: read once by `probe.ts`, or made up by a test.
 *
 * @module
 */
import type { Arch } from "../program/step.ts";

/** The host, as far as planning a container depends on it. */
export interface Facts {
  readonly arch: Arch;
  /** `uname -r`, and its first three numbers. */
  readonly release: string;
  readonly version: readonly [number, number, number];
  /** What this kernel offers; each was tried, not guessed from the version. */
  readonly has: Readonly<Record<Feature, boolean>>;
  readonly cgroup: CgroupFacts;
  /** Every mount of this mount namespace, in the order of `/proc/self/mountinfo`. */
  readonly mounts: readonly MountFact[];
  /** Swap space in bytes over all devices; 0 where there is none. */
  readonly swapTotal: number;
  /** Resource limits that paddock was started with, before Deno raised any: soft and hard, -1 for no limit. */
  readonly nofile: { readonly soft: number; readonly hard: number };
  /** Capabilities that this process may hand on (its bounding set), by name without `CAP_`, in lower case. */
  readonly capabilities: readonly string[];
  /** Highest capability number that this kernel knows (`/proc/sys/kernel/cap_last_cap`). */
  readonly lastCapability: number;
  readonly uid: number;
}

/** Kernel features that a plan may use where they exist. */
export const FEATURES = [
  "openat2",
  "open_tree",
  "mount_setattr",
  "close_range",
  "clone3",
  "pidfd_open",
  "execveat_memfd",
  "overlay",
  "overlay_volatile",
  "time_namespace",
  "time_namespace_on_exec",
  "user_namespace",
  "cgroup_namespace",
  "mqueue",
  "bpf_cgroup_device",
  "seccomp_filter",
] as const;

export type Feature = typeof FEATURES[number];

/** Which hierarchy serves each controller here. */
export interface CgroupFacts {
  /** By controller name (`memory`, `cpu`, `cpuset`, `io`, `blkio`, `pids`, `devices`, `freezer`, `hugetlb`, …). */
  readonly controllers: Readonly<Record<string, ControllerFact>>;
  /** Where cgroup2 is mounted and this process's path in it; absent where it is not mounted. */
  readonly unified?: { readonly mount: string; readonly self: string };
  /** A named v1 hierarchy `systemd`, where mounted. */
  readonly named?: { readonly mount: string; readonly self: string };
  /** True where PID 1 is systemd and would clean up after us. */
  readonly systemd: boolean;
}

/** One controller: by which version it is served, where, and where this process is in it. */
export interface ControllerFact {
  readonly version: 1 | 2;
  /** Mount point, absolute (`/sys/fs/cgroup/memory`; for v2 the unified mount). */
  readonly mount: string;
  /** This process's cgroup as a path below the mount point, starting with `/`. */
  readonly self: string;
  /** v1: the controllers mounted together with it, itself included (`cpu`, `cpuacct`). v2: absent. */
  readonly joint?: readonly string[];
  /** True where swap is accounted (v1 `memory.memsw.limit_in_bytes`, v2 `memory.swap.max`); only for `memory`. */
  readonly swap?: boolean;
}

/** One line of `/proc/self/mountinfo` (`man 5 proc_pid_mountinfo`). */
export interface MountFact {
  readonly id: number;
  readonly parent: number;
  readonly device: string;
  /** The directory of the filesystem that is mounted here. */
  readonly root: string;
  readonly target: string;
  readonly options: readonly string[];
  /** "shared:2", "master:1", … */
  readonly propagation: readonly string[];
  readonly type: string;
  readonly source: string;
  readonly superOptions: readonly string[];
}
