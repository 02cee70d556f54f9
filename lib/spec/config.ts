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
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: Linux;
}

export interface Root {
  /** Absolute path of the root filesystem on the host. */
  readonly path: string;
  readonly readonly?: boolean;
}

export interface Process {
  readonly terminal?: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly cwd: string;
  readonly env: readonly string[];
  readonly args: readonly string[];
  readonly user: User;
  readonly capabilities?: Capabilities;
  readonly rlimits?: readonly Rlimit[];
  readonly noNewPrivileges?: boolean;
  readonly oomScoreAdj?: number;
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
}

export interface Linux {
  readonly namespaces: readonly Namespace[];
  readonly uidMappings?: readonly IdMapping[];
  readonly gidMappings?: readonly IdMapping[];
  readonly timeOffsets?: Readonly<Record<string, { readonly secs?: number; readonly nanosecs?: number }>>;
  readonly devices?: readonly Device[];
  readonly cgroupsPath?: string;
  readonly resources?: Resources;
  readonly rootfsPropagation?: string;
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

/** A comparison of an argument, `index` from 0; with `SCMP_CMP_MASKED_EQ` `value` is the mask and `valueTwo` what is compared. */
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
  readonly pids?: { readonly limit: number };
  readonly blockIO?: BlockIO;
  readonly hugepageLimits?: readonly { readonly pageSize: string; readonly limit: number }[];
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
  readonly swappiness?: number;
  readonly disableOOMKiller?: boolean;
}

/** Times in microseconds. */
export interface Cpu {
  readonly shares?: number;
  readonly quota?: number;
  readonly burst?: number;
  readonly period?: number;
  readonly cpus?: string;
  readonly mems?: string;
  readonly idle?: number;
}

export interface BlockIO {
  /** 10 to 1000. */
  readonly weight?: number;
  readonly weightDevice?: readonly { readonly major: number; readonly minor: number; readonly weight: number }[];
  readonly throttleReadBpsDevice?: readonly Throttle[];
  readonly throttleWriteBpsDevice?: readonly Throttle[];
  readonly throttleReadIOPSDevice?: readonly Throttle[];
  readonly throttleWriteIOPSDevice?: readonly Throttle[];
}

export interface Throttle {
  readonly major: number;
  readonly minor: number;
  readonly rate: number;
}
