/**
 * The one internal format: the OCI runtime-spec `Config` for Linux (runtime-spec 1.3, config.md and config-linux.md).
 *
 * Names and shapes are the specification's; numbers are as in its JSON (bytes, microseconds). What a door of paddock
 * asks for beyond the specification stands in annotations under `dev.paddock.`.
 *
 * @module
 */

import type { SECCOMP_ACTIONS, SECCOMP_ARCHITECTURES, SECCOMP_FLAGS, SECCOMP_OPERATORS } from "./seccomp.ts";

/** A container as the OCI runtime-spec describes it. */
export interface Config {
  readonly ociVersion: string;
  readonly process: Process;
  readonly root: Root;
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts: readonly Mount[];
  readonly hooks?: Hooks;
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: Linux;
}

export interface Root {
  /** Absolute path of the root filesystem on the host. */
  readonly path: string;
  readonly readonly?: boolean;
}

export interface Process {
  /** True where the configuration has none: the container can be created, and not be started. */
  readonly absent?: true;
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly cwd: string;
  readonly env: readonly string[];
  readonly args: readonly string[];
  readonly user: User;
  readonly capabilities?: Capabilities;
  readonly rlimits?: readonly Rlimit[];
  readonly noNewPrivileges?: boolean;
  /** -1000 to 1000 (`man 5 proc_pid_oom_score_adj`). */
  readonly oomScoreAdj?: number;
  readonly scheduler?: Scheduler;
  readonly ioPriority?: IoPriority;
  /** Of processes that are executed in a running container; the first one has no use for it. */
  readonly execCPUAffinity?: CpuAffinity;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
}

/** How the kernel gives the process its turns (`man 2 sched_setattr`). */
export interface Scheduler {
  /** A name such as `SCHED_FIFO`. */
  readonly policy: string;
  /** -20 to 19. */
  readonly nice?: number;
  /** 1 to 99, of `SCHED_FIFO` and `SCHED_RR`. */
  readonly priority?: number;
  /** Names such as `SCHED_FLAG_RESET_ON_FORK`. */
  readonly flags?: readonly string[];
  /** Nanoseconds, of `SCHED_DEADLINE`, as the two after it. */
  readonly runtime?: number;
  readonly deadline?: number;
  readonly period?: number;
}

/** Whose reads and writes go first (`man 2 ioprio_set`). */
export interface IoPriority {
  /** A name such as `IOPRIO_CLASS_BE`. */
  readonly class: string;
  /** 0, the highest, to 7. */
  readonly priority?: number;
}

/** Lists of processors such as `0-3,7`: before the process enters its cgroup, and after. */
export interface CpuAffinity {
  readonly initial?: string;
  readonly final?: string;
}

export interface User {
  readonly uid: number;
  readonly gid: number;
  readonly umask?: number;
  readonly additionalGids?: readonly number[];
}

/** Five sets of names such as `CAP_CHOWN`. */
export interface Capabilities {
  readonly bounding?: readonly string[];
  readonly effective?: readonly string[];
  readonly inheritable?: readonly string[];
  readonly permitted?: readonly string[];
  readonly ambient?: readonly string[];
}

/** `type` is a name such as `RLIMIT_NOFILE`. -1 is no limit. */
export interface Rlimit {
  readonly type: string;
  readonly soft: number;
  readonly hard: number;
}

export interface Mount {
  readonly destination: string;
  /** `bind` and `none` mean that `source` is a path of the host. */
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
  /** Owners as this mount shows them, where they are others than those of the files. */
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
}

/** Programs that are run at points of a container's life (config.md, POSIX-platform Hooks). */
export interface Hooks {
  readonly prestart?: readonly Hook[];
  readonly createRuntime?: readonly Hook[];
  readonly createContainer?: readonly Hook[];
  readonly startContainer?: readonly Hook[];
  readonly poststart?: readonly Hook[];
  readonly poststop?: readonly Hook[];
}

export interface Hook {
  /** Absolute. */
  readonly path: string;
  readonly args?: readonly string[];
  readonly env?: readonly string[];
  /** Seconds. */
  readonly timeout?: number;
}

export interface Linux {
  readonly namespaces: readonly Namespace[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  readonly timeOffsets?: Readonly<Record<string, { readonly secs?: number; readonly nanosecs?: number }>>;
  readonly devices?: readonly Device[];
  /** Interfaces of the host that the container gets, by their names there. */
  readonly netDevices?: Readonly<Record<string, NetDevice>>;
  readonly cgroupsPath?: string;
  readonly resources?: Resources;
  readonly intelRdt?: IntelRdt;
  readonly memoryPolicy?: MemoryPolicy;
  readonly personality?: Personality;
  readonly rootfsPropagation?: string;
  /** SELinux context of the container's filesystems. */
  readonly mountLabel?: string;
  readonly sysctl?: Readonly<Record<string, string>>;
  readonly seccomp?: Seccomp;
  readonly maskedPaths?: readonly string[];
  readonly readonlyPaths?: readonly string[];
}

export type NamespaceType = "pid" | "network" | "mount" | "ipc" | "uts" | "user" | "cgroup" | "time";

/** A namespace to be made, or, with `path`, one to be joined. */
export interface Namespace {
  readonly type: NamespaceType;
  readonly path?: string;
}

export interface IdMapping {
  readonly containerID: number;
  readonly hostID: number;
  readonly size: number;
}

export interface Device {
  /** "c", "b", "u" or "p". */
  readonly type: string;
  readonly path: string;
  readonly major?: number;
  readonly minor?: number;
  readonly fileMode?: number;
  readonly uid?: number;
  readonly gid?: number;
}

/** `name` is the interface's name in the container; absent: the same. */
export interface NetDevice {
  readonly name?: string;
}

/** What of the processor's cache and memory bandwidth it gets (the kernel's Documentation/filesystems/resctrl.rst). */
export interface IntelRdt {
  /** Name of the class of service, a directory of resctrl; absent: the container's id. */
  readonly closID?: string;
  /** Lines of the file `schemata`. */
  readonly schemata?: readonly string[];
  /** Such lines for the cache, `L3:0=f`, and for the bandwidth, `MB:0=50`. */
  readonly l3CacheSchema?: string;
  readonly memBwSchema?: string;
  /** A monitoring group of its own. */
  readonly enableMonitoring?: boolean;
}

/** On which nodes memory is taken (`man 2 set_mempolicy`). */
export interface MemoryPolicy {
  /** A name such as `MPOL_BIND`. */
  readonly mode: string;
  /** A list such as `0-3,7`. */
  readonly nodes?: string;
  /** Names such as `MPOL_F_STATIC_NODES`. */
  readonly flags?: readonly string[];
}

/** Which kind of machine the process believes to be on (`man 2 personality`). */
export interface Personality {
  /** `LINUX` or `LINUX32`. */
  readonly domain: string;
  /** The specification knows none. */
  readonly flags?: readonly string[];
}

/** Which system calls may be made (config-linux.md, Seccomp). */
export interface Seccomp {
  /** What happens to a call that no rule is about. */
  readonly defaultAction: SeccompAction;
  /** With `SCMP_ACT_ERRNO` the error, with `SCMP_ACT_TRACE` what the tracer is told; EPERM where it is absent. */
  readonly defaultErrnoRet?: number;
  /** The machine's own is always among them. */
  readonly architectures?: readonly SeccompArch[];
  /** Absent: `SECCOMP_FILTER_FLAG_SPEC_ALLOW`, as runc. */
  readonly flags?: readonly SeccompFlag[];
  /** The socket to which the descriptor for `SCMP_ACT_NOTIFY` goes. */
  readonly listenerPath?: string;
  readonly listenerMetadata?: string;
  readonly syscalls?: readonly SeccompRule[];
}

/** What happens to these calls where all arguments fit. */
export interface SeccompRule {
  readonly names: readonly string[];
  readonly action: SeccompAction;
  readonly errnoRet?: number;
  readonly args?: readonly SeccompArgument[];
}

/**
 * A comparison of an argument, `index` from 0. With `SCMP_CMP_MASKED_EQ` `value` is the mask and `valueTwo` what is
 * compared; the others have one value, and what is in `valueTwo` says nothing to them (`man 3 seccomp_rule_add`).
 */
export interface SeccompArgument {
  readonly index: number;
  readonly value: Word;
  readonly valueTwo?: Word;
  readonly op: SeccompOperator;
}

/** 64 bits without a sign; a bigint where a number would not be exact. */
export type Word = number | bigint;

export type SeccompAction = typeof SECCOMP_ACTIONS[number];
export type SeccompOperator = typeof SECCOMP_OPERATORS[number];
export type SeccompArch = typeof SECCOMP_ARCHITECTURES[number];
export type SeccompFlag = typeof SECCOMP_FLAGS[number];

/** Limits for the container's cgroups (config-linux.md, Control groups). */
export interface Resources {
  readonly devices?: readonly DeviceRule[];
  readonly memory?: Memory;
  readonly cpu?: Cpu;
  /** -1 is no limit; 0 means that no other process can be made. */
  readonly pids?: { readonly limit?: number };
  readonly blockIO?: BlockIO;
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
  /** Marks on packets; cgroup v1 alone has them. */
  readonly network?: NetworkClass;
  /** By the name of the device. */
  readonly rdma?: Readonly<Record<string, Rdma>>;
  /** Raw cgroup v2 files: `{ "memory.high": "100M" }`. */
  readonly unified?: Readonly<Record<string, string>>;
}

/** Absent `type` is "a", absent numbers are all; `access` is of "r", "w", "m". */
export interface DeviceRule {
  readonly allow: boolean;
  readonly type?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly access?: string;
}

/** Bytes; -1 is no limit. `swap` is memory and swap together. */
export interface Memory {
  readonly limit?: number;
  readonly reservation?: number;
  readonly swap?: number;
  /** Not recommended: a kernel from 5.16 has no such limit, and v2 none either. */
  readonly kernel?: number;
  /** Not recommended: v1 alone has it. */
  readonly kernelTCP?: number;
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
  /** Since Linux 5.11 nothing else can be had; it changes nothing. */
  readonly useHierarchy?: boolean;
  /** For an update: a limit below what is in use is refused. */
  readonly checkBeforeUpdate?: boolean;
}

/** Times in microseconds. */
export interface Cpu {
  readonly shares?: number;
  readonly quota?: number;
  readonly burst?: number;
  readonly period?: number;
  /** v1 alone has these two. */
  readonly realtimeRuntime?: number;
  readonly realtimePeriod?: number;
  readonly cpus?: string;
  readonly mems?: string;
  readonly idle?: number;
}

export interface BlockIO {
  /** 10 to 1000. */
  readonly weight?: number;
  /** Against its own child cgroups; v1 before Linux 5.0 alone has it. */
  readonly leafWeight?: number;
  readonly weightDevice?: readonly WeightDevice[];
  readonly throttleReadBpsDevice?: readonly Throttle[];
  readonly throttleWriteBpsDevice?: readonly Throttle[];
  readonly throttleReadIOPSDevice?: readonly Throttle[];
  readonly throttleWriteIOPSDevice?: readonly Throttle[];
}

export interface WeightDevice {
  readonly major: number;
  readonly minor: number;
  readonly weight?: number;
  readonly leafWeight?: number;
}

/** Bytes or operations in a second. */
export interface Throttle {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}

export interface NetworkClass {
  /** Of all packets, for traffic control. */
  readonly classID?: number;
  readonly priorities?: readonly { readonly name: string; readonly priority: number }[];
}

export interface Rdma {
  readonly hcaHandles?: number;
  readonly hcaObjects?: number;
}
