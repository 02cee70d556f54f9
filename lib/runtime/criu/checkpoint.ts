/**
 * `paddock checkpoint`: a container as files, by criu.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { isThere, must } from "../../kernel/syscall.ts";
import { Fd } from "../../kernel/fd.ts";
import { AT, O } from "../../kernel/fs.ts";
import { parseConfigText } from "../../spec/parse.ts";
import { type BundleContainer, openBundleContainer } from "../../state/bundle_container.ts";
import type { Roots } from "../../state/root.ts";
import { deleteBundle } from "../delete_bundle.ts";
import type { Voice } from "../voice.ts";
import { listExternalMounts, listExternalNamespaces, readStreams } from "./externals.ts";
import { type CriuOptions, REQUEST } from "./messages.ts";
import { CriuSession } from "./session.ts";

/** What `checkpoint` and `restore` are told alike. */
export interface ImageOptions extends Roots {
  readonly id: string;
  /** The program. */
  readonly criu: string;
  /** Directory of the files, absolute. */
  readonly imagePath: string;
  /** Directory of criu's log and other files; that of the images unless given. */
  readonly workPath?: string;
  readonly tcpEstablished: boolean;
  readonly extUnixSk: boolean;
  readonly shellJob: boolean;
  readonly fileLocks: boolean;
  readonly autoDedup: boolean;
  readonly lazyPages: boolean;
  /** Flags of clone(2). */
  readonly emptyNamespaces: number;
  /** `criu_cg_mode`. */
  readonly cgroupMode?: number;
}

/** What `checkpoint` is told. */
export interface CheckpointOptions extends ImageOptions {
  /** Of an earlier `--pre-dump`, relative to the image path. */
  readonly parentPath?: string;
  readonly leaveRunning: boolean;
  readonly preDump: boolean;
  readonly statusFd?: number;
  readonly pageServer?: { readonly address: string; readonly port: number };
}

/** The least version of criu that speaks of all this. */
const LEAST_VERSION = 30000;

/** Where the standard streams are noted, as runc notes them. */
export const STREAMS_FILE = "descriptors.json";

/**
 * Writes a container as files; then it is over and deleted, unless it is to stay.
 *
 * @throws PaddockError saying why that cannot be.
 */
export async function checkpointBundle(options: CheckpointOptions, voice: Voice): Promise<void> {
  const seen = openBundleContainer(options.root, options.id);
  if (!["running", "paused"].includes(seen.status) || seen.pid === undefined) {
    throw new PaddockError(`container cannot be checkpointed in ${seen.status} state`);
  }
  const version = await readVersion(options.criu);
  Deno.mkdirSync(options.imagePath, { recursive: true, mode: 0o700 });
  checkParent(options);
  using images = openDirectory(options.imagePath);
  using work = options.workPath === undefined ? undefined : openWork(options.workPath);
  const log = `${options.workPath ?? options.imagePath}/dump.log`;
  const request = describe(options, seen, seen.pid, version, { images, work });
  if (!options.preDump) {
    Deno.writeTextFileSync(`${options.imagePath}/${STREAMS_FILE}`, JSON.stringify(readStreams(seen.pid)), {
      mode: 0o600,
    });
  }
  const session = CriuSession.start({ program: options.criu, streams: "null" });
  try {
    session.call(
      `checkpoint container ${options.id}`,
      options.preDump ? REQUEST.preDump : REQUEST.dump,
      request,
      log,
      () => {},
    );
  } finally {
    await session.finish();
  }
  if (!options.leaveRunning && !options.preDump) await deleteBundle(options.id, true, options, voice);
}

/** @throws PaddockError where criu is not there, or too old. */
export async function readVersion(program: string): Promise<number> {
  const session = CriuSession.start({ program, streams: "null" });
  try {
    const version = session.version();
    if (version >= LEAST_VERSION) return version;
    throw new PaddockError(`criu ${version} is too old: 3.0 is the least`);
  } finally {
    await session.finish();
  }
}

function checkParent({ parentPath, imagePath }: CheckpointOptions): void {
  if (parentPath === undefined) return;
  if (parentPath.startsWith("/")) throw new PaddockError("--parent-path must be relative, to --image-path");
  if (!isThere(`${imagePath}/${parentPath}`)) {
    throw new PaddockError(`--parent-path: no directory ${parentPath} in ${imagePath}`, {
      hint: "write it first, with --pre-dump",
    });
  }
}

/** A directory that a child inherits. */
export function openDirectory(path: string): Fd {
  return new Fd(must(path, "openat", AT.FDCWD, path, O.RDONLY | O.DIRECTORY, 0));
}

/** The same, made where it is missing. */
export function openWork(path: string): Fd {
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  return openDirectory(path);
}

function describe(
  options: CheckpointOptions,
  { directory, record }: BundleContainer,
  pid: number,
  version: number,
  { images, work }: { readonly images: Fd; readonly work: Fd | undefined },
): CriuOptions {
  const config = parseConfigText(Deno.readTextFileSync(`${directory}/config.json`));
  const { preDump, parentPath, statusFd, pageServer } = options;
  const v1 = record.cgroupPaths.find((path) => isThere(`${path}/freezer.state`));
  const freezer = v1 ??
    (version >= 31400 ? record.cgroupPaths.find((path) => isThere(`${path}/cgroup.freeze`)) : undefined);
  return {
    ...shareOptions(options),
    imagesFd: images.number,
    ...(work === undefined ? {} : { workFd: work.number }),
    logFile: "dump.log",
    root: config.root.path,
    pid,
    leaveRunning: options.leaveRunning,
    ...(statusFd === undefined ? {} : { statusFd }),
    ...(pageServer === undefined ? {} : { pageServer }),
    ...(parentPath === undefined ? {} : { parentImage: parentPath }),
    ...(parentPath !== undefined || preDump ? { trackMemory: true } : {}),
    ...(freezer === undefined ? {} : { freezeCgroup: freezer }),
    cgroupRoots: [],
    externalMounts: preDump ? [] : listExternalMounts(config, pid),
    external: listExternalNamespaces(config, version).map(({ file, name }) =>
      `${file}[${inodeOf(`/proc/${pid}/ns/${file}`)}]:${name}`
    ),
    inherited: [],
  };
}

/** What both sides say in the same words. */
export function shareOptions(options: ImageOptions): Pick<
  CriuOptions,
  | "tcpEstablished"
  | "extUnixSk"
  | "shellJob"
  | "fileLocks"
  | "autoDedup"
  | "lazyPages"
  | "emptyNamespaces"
  | "cgroupMode"
> {
  const { tcpEstablished, extUnixSk, shellJob, fileLocks, autoDedup, lazyPages, emptyNamespaces, cgroupMode } = options;
  return {
    tcpEstablished,
    extUnixSk,
    shellJob,
    fileLocks,
    autoDedup,
    lazyPages,
    emptyNamespaces,
    ...(cgroupMode === undefined ? {} : { cgroupMode }),
  };
}

/** `net:[4026531840]`: the number. */
function inodeOf(link: string): string {
  return /\[(\d+)\]/.exec(Deno.readLinkSync(link))?.[1] ?? "0";
}
