/**
 * What is said between paddock and criu (criu's `images/rpc.proto`).
 *
 * @module
 */
import { encodeMessage, type Field, Message } from "./protobuf.ts";

/** Kinds of requests, and of answers to them. */
export const REQUEST = { dump: 1, restore: 2, preDump: 4, notify: 6, featureCheck: 9, version: 10 } as const;

/** How cgroups are managed on restore (`criu_cg_mode`). */
export const CGROUP_MODES: Readonly<Record<string, number>> = { ignore: 0, soft: 3, full: 4, strict: 5 };

/** Flags of clone(2), by the names of `--empty-ns`. */
export const EMPTY_NAMESPACES: Readonly<Record<string, number>> = { network: 0x40000000 };

/** What both a checkpoint and a restore are told. Paths are descriptors that criu inherits. */
export interface CriuOptions {
  readonly imagesFd: number;
  readonly workFd?: number;
  readonly logFile: string;
  readonly root: string;
  readonly pid?: number;
  readonly leaveRunning?: boolean;
  readonly tcpEstablished: boolean;
  readonly extUnixSk: boolean;
  readonly shellJob: boolean;
  readonly fileLocks: boolean;
  readonly autoDedup: boolean;
  readonly lazyPages: boolean;
  readonly statusFd?: number;
  readonly pageServer?: { readonly address: string; readonly port: number };
  readonly parentImage?: string;
  readonly trackMemory?: boolean;
  readonly cgroupMode?: number;
  readonly emptyNamespaces: number;
  readonly freezeCgroup?: string;
  /** Where the container's cgroups are, by controller; "" is v2. */
  readonly cgroupRoots: readonly (readonly [controller: string, path: string])[];
  /** Mounts of the host: a name, and what it stands for. */
  readonly externalMounts: readonly (readonly [key: string, value: string])[];
  /** Other things of the host: `net[INODE]:NAME`. */
  readonly external: readonly string[];
  /** Descriptors that criu has inherited, by what they stand for. */
  readonly inherited: readonly (readonly [key: string, fd: number])[];
  readonly sibling?: boolean;
  readonly evasiveDevices?: boolean;
  readonly lsmProfile?: string;
  readonly lsmMountContext?: string;
}

/** A request with options. */
export function encodeRequest(type: number, options?: CriuOptions): Uint8Array<ArrayBuffer> {
  return encodeMessage([[1, type], [2, options === undefined ? undefined : encodeOptions(options)]]);
}

/** The answer to a notification: it has been seen, and all is well. */
export function encodeNotified(success: boolean): Uint8Array<ArrayBuffer> {
  return encodeMessage([[1, REQUEST.notify], [3, success]]);
}

const LOG_LEVEL = 4;

function encodeOptions(options: CriuOptions): Uint8Array<ArrayBuffer> {
  const pair = (first: string, second: string | number) => encodeMessage([[1, first], [2, second]]);
  const { pageServer } = options;
  const fields: readonly Field[] = [
    [1, options.imagesFd],
    [2, options.pid],
    [3, options.leaveRunning],
    [4, options.extUnixSk],
    [5, options.tcpEstablished],
    [6, options.evasiveDevices],
    [7, options.shellJob],
    [8, options.fileLocks],
    [9, LOG_LEVEL],
    [10, options.logFile],
    [11, pageServer === undefined ? undefined : pair(pageServer.address, pageServer.port)],
    [12, true], // notify_scripts: they come as messages
    [13, options.root],
    [14, options.parentImage],
    [15, options.trackMemory],
    [16, options.autoDedup],
    [17, options.workFd],
    ...options.externalMounts.map(([key, value]): Field => [23, pair(key, value)]),
    [24, true], // manage_cgroups
    ...options.cgroupRoots.map(([controller, path]): Field => [
      25,
      encodeMessage([[1, controller === "" ? undefined : controller], [2, path]]),
    ]),
    [26, options.sibling],
    ...options.inherited.map(([key, fd]): Field => [27, pair(key, fd)]),
    [34, options.cgroupMode],
    ...options.external.map((text): Field => [37, text]),
    [38, options.emptyNamespaces === 0 ? undefined : options.emptyNamespaces],
    [44, options.freezeCgroup],
    [48, options.lazyPages],
    [49, options.statusFd],
    [50, true], // orphan_pts_master: the container's terminal has its other end outside
    [53, options.lsmProfile],
    [63, options.lsmMountContext],
  ];
  return encodeMessage(fields);
}

/** What criu says. */
export interface CriuAnswer {
  readonly type: number;
  readonly success: boolean;
  /** Positive error number, where criu gives one. */
  readonly errno: number;
  readonly message: string;
  /** A point of its work that it waits at: `post-restore`, `orphan-pts-master`, … */
  readonly notify?: { readonly script: string; readonly pid: number };
  readonly restoredPid?: number;
  /** As 31700 for 3.17. */
  readonly version?: number;
  readonly features?: { readonly trackMemory: boolean; readonly lazyPages: boolean };
}

/** Reads an answer. @throws RangeError where it is none. */
export function decodeAnswer(bytes: Uint8Array): CriuAnswer {
  const answer = new Message(bytes);
  const [notify, restore, version, features] = [5, 4, 10, 8].map((field) => answer.message(field));
  const restoredPid = restore?.number(1);
  return {
    type: answer.number(1) ?? 0,
    success: answer.number(2) === 1,
    errno: answer.number(7) ?? 0,
    message: answer.text(9) ?? "",
    ...(notify === undefined ? {} : { notify: { script: notify.text(1) ?? "", pid: notify.number(2) ?? 0 } }),
    ...(restoredPid === undefined ? {} : { restoredPid }),
    ...(version === undefined ? {} : {
      version: (version.number(1) ?? 0) * 10_000 + (version.number(2) ?? 0) * 100 + (version.number(4) ?? 0),
    }),
    ...(features === undefined
      ? {}
      : { features: { trackMemory: features.number(1) === 1, lazyPages: features.number(2) === 1 } }),
  };
}
