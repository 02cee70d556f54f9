/**
 * What a user asks of `run`, `explain` and `compile`, as one plain value: every word of the command line understood,
 * checked on its own and in the units of the specification, nothing of it looked up on the host yet.
 *
 * @module
 */
import type { CgroupManager } from "../base/cgroup_managers.ts";
import type { Healthcheck } from "./image_config.ts";
import type { Cpu, IdMapping, Rlimit } from "./config.ts";
import type { NetworkChoice, NetworkWishes } from "./network.ts";
import type { PullPolicy, RegistryOptions } from "./registry_options.ts";

/** Where the output of a container in the background goes: a file of its own, or nowhere. */
export type LogDriver = "file" | "local" | "journald" | "none";

/** When a log is renamed, so that a new one begins; of `local` alone. */
export interface LogRotationOption {
  /** Bytes. */
  readonly maxSize: number;
  readonly maxFiles: number;
}

/** When a container is started again at its end; by `on-failure` so many times at most, or for ever. */
export interface RestartPolicy {
  readonly when: "on-failure" | "always" | "unless-stopped";
  readonly atMost?: number;
}

/** A container as asked for. Paths of the host are absolute. */
export interface RunOptions {
  /** Where the state of running containers is kept; `/run/paddock` unless given. */
  readonly root: string;
  /** Where layers and kept containers are stored; `/var/lib/paddock` unless given. */
  readonly dataRoot: string;
  /** A directory, a tarball, `-` (a tarball on standard input), a name or `host`, in the user's own words. */
  readonly image: string;
  /** When a name is asked for at its registry; where it is missing unless given. */
  readonly pull?: PullPolicy;
  /** How registries are reached; absent: as the configuration has it. */
  readonly registry?: RegistryOptions;
  /** The words after the image; empty where the image's own command is meant. */
  readonly command: readonly string[];
  /** An image's configuration that the rootfs has lost: `docker inspect` output or an image config. */
  readonly config?: string;

  readonly name?: string;
  /** A container of that name is ended and removed first. */
  readonly replace?: true;
  /** Remove the container at its end even though it has a name. */
  readonly rm: boolean;
  /** It goes on in the background, and nobody waits for its end. */
  readonly detach: boolean;
  /** Where its output goes in the background: a file, or nowhere. */
  readonly logDriver: LogDriver;
  readonly logRotation?: LogRotationOption;
  /** Absent: it ends when it ends. Only in the background. */
  readonly restart?: RestartPolicy;
  readonly interactive: boolean;
  readonly tty: boolean;
  /** Run a small init as process 1 that forwards signals and reaps. */
  readonly init: boolean;
  /** Print each step with its result. */
  readonly trace: boolean;
  /** A signal's name without `SIG`, in upper case (`TERM`, `RTMIN+3`). */
  readonly stopSignal?: string;
  /** How long it may take to end when it is asked to, seconds; -1 is for ever; ten unless given. */
  readonly stopTimeout?: number;
  /** What it says of its health check that its image does not, or otherwise. */
  readonly health?: Partial<Healthcheck>;
  readonly labels: Readonly<Record<string, string>>;

  /** `NAME=value` sets, `NAME` alone removes what the image sets. */
  readonly env: readonly string[];
  /** The one word that replaces the image's entrypoint; empty: none at all. */
  readonly entrypoint?: string;
  /** `user`, `user:group`, names or numbers. */
  readonly user?: string;
  /** Names or numbers. */
  readonly groupAdd: readonly string[];
  readonly workdir?: string;
  readonly umask?: number;
  readonly ulimits: readonly Rlimit[];
  readonly oomScoreAdj?: number;

  readonly readOnly: boolean;
  readonly mounts: readonly MountOption[];
  /** Bytes of `/dev/shm`. */
  readonly shmSize: number;
  /** Directory of the host that keeps what the container writes. */
  readonly rwSave?: string;
  readonly devices: readonly DeviceOption[];

  readonly hostname?: string;
  readonly domainname?: string;
  readonly network: NetworkChoice;
  /** Absent where nothing is said of it. */
  readonly networkWishes?: NetworkWishes;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOptions: readonly string[];
  readonly addHosts: readonly { readonly host: string; readonly address: string }[];

  readonly pid: "private" | "host";
  readonly ipc: "private" | "host" | "none";
  readonly uts: "private" | "host";
  readonly cgroupns: "private" | "host";
  /** A map of the container's ids, or the host's user namespace. */
  readonly userns: "host" | { readonly uid: IdMapping; readonly gid: IdMapping };
  /** Seconds by which the container's clocks are moved; a time namespace where either is given. */
  readonly timeOffsets: { readonly monotonic?: number; readonly boottime?: number };

  /** Without `CAP_`, in lower case, or `all`. */
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  /** Leave the kernel's files in /proc and /sys unmasked and writable. */
  readonly unmasked: boolean;
  readonly seccomp: SeccompOption;
  readonly sysctls: Readonly<Record<string, string>>;

  readonly memory: MemoryOptions;
  readonly cpu: Cpu;
  /** -1 is no limit. */
  readonly pidsLimit?: number;
  readonly blkio: BlkioOptions;
  /** Absolute, below each controller's mount point; the name of a slice where systemd makes the cgroup. */
  readonly cgroupParent?: string;
  readonly cgroupManager: CgroupManager;
}

/** Which system calls are filtered: as by default, none, or as a file says, which is read already. */
export type SeccompOption =
  | { readonly kind: "default" | "unconfined" }
  | { readonly kind: "file"; readonly path: string; readonly text: string };

/** Bytes; -1 is no limit. */
export interface MemoryOptions {
  readonly limit?: number;
  readonly reservation?: number;
  /** Memory and swap together, as docker and the specification count it. */
  readonly swap?: number;
  /** 0 to 100. */
  readonly swappiness?: number;
  readonly disableOOMKiller: boolean;
}

/** Weights from 10 to 1000; rates in bytes or operations in a second. Devices by the path of their node. */
export interface BlkioOptions {
  readonly weight?: number;
  readonly weightDevice: readonly { readonly path: string; readonly weight: number }[];
  readonly readBps: readonly DeviceRate[];
  readonly writeBps: readonly DeviceRate[];
  readonly readIops: readonly DeviceRate[];
  readonly writeIops: readonly DeviceRate[];
}

export interface DeviceRate {
  readonly path: string;
  readonly rate: number;
}

/** A node of the host (or a directory of them) to be had in the container; `access` is of "r", "w", "m". */
export interface DeviceOption {
  readonly source: string;
  readonly target: string;
  readonly access: string;
}

/** One `-v`, `--mount` or `--tmpfs`. */
export type MountOption = BindOption | TmpfsOption | OverlayOption;

/** A file or directory of the host; `options` are words of the specification (`rbind`, `ro`, `rro`, `rprivate`, …). */
export interface BindOption {
  readonly kind: "bind";
  readonly source: string;
  readonly target: string;
  readonly options: readonly string[];
  /** `z` or `Z` was asked for: a new label where SELinux is in force. */
  readonly relabel: boolean;
  /** A volume without a name: a directory that the container gets of its own; `source` is empty until it is known. */
  readonly anonymous?: true;
}

export interface TmpfsOption {
  readonly kind: "tmpfs";
  readonly target: string;
  readonly options: readonly string[];
}

/** Directories of the host laid over one another; the first of `lower` is the topmost. */
export interface OverlayOption {
  readonly kind: "overlay";
  readonly target: string;
  readonly lower: readonly string[];
  readonly upper?: string;
  readonly work?: string;
  readonly options: readonly string[];
}
