/**
 * Containers on disk: one directory for each below the state root.
 *
 * ```
 * /run/paddock/ID/lock         held by whoever makes the container, then by its launcher, for as long as it lives
 *                 state.json   the record
 *                 config.json  the configuration that it was made from
 * ```
 *
 * The lock is taken before anything is put into the directory, and is the last file to leave it. So whoever gets the
 * lock of a directory knows that its container is over, and may remove what it left; who finds that the file behind a
 * lock just won was removed meanwhile starts over. Files are written beside and renamed: a reader sees a whole one or
 * none, whatever is killed when. None is synced: `/run` does not outlive the host.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { checkName, isName, launcherOf, makeId } from "../base/names.ts";
import { AT } from "../kernel/constants.ts";
import { must, syscall } from "../kernel/syscall.ts";
import {
  dataDirectoryOf,
  isThere,
  KEPT_RECORD_FILE,
  listDataIds,
  readKeptRecord,
  RENAMED_FILE,
} from "./data_directory.ts";
import { inheritLock, isLocked, type Lock, LOCK_FILE, tryLock } from "./lock.ts";
import { type ContainerRecord, formatRecord, parseRecord } from "./record.ts";
import { countRestarts } from "./restarts.ts";
import { ensurePrivateDirectory, makeDirectory, type Roots } from "./root.ts";
import { deriveStatus, type Status } from "./status.ts";

/** A container's directory whose lock is ours: it may be written. */
export interface OwnedContainer extends Disposable {
  readonly id: string;
  readonly directory: string;
  readonly lock: Lock;
  /** Puts the record in place of the one before; that of a kept container into its data directory as well. */
  writeRecord(record: ContainerRecord): void;
  /** Puts a file of that name in place. */
  writeFile(name: string, text: string): void;
  /** Removes the directory and gives up the lock. Everything else that the container had must be gone before. */
  remove(): void;
}

/** A container as one looks at it from outside. */
export interface SeenContainer {
  readonly id: string;
  readonly directory: string;
  readonly status: Status;
  /** Absent while it is being created, where its maker died before it could write one, and of compiled launchers. */
  readonly record: ContainerRecord | undefined;
  /** Its first process as the host counts, while it runs. */
  readonly pid: number | undefined;
}

/** The name of the record's file. */
export const RECORD_FILE = "state.json";

/** The name of the file with the process id of the container's first process. */
export const PID_FILE = "pid";

/** The name of the file with the process id of the monitor of a container in the background. */
export const MONITOR_FILE = "monitor";

/** The name of the pipe that is the standard input of a container in the background, where it was to have one. */
export const INPUT_FILE = "stdin";

/** The name of the file with the output of a container in the background. */
export const LOG_FILE = "log";

/**
 * Makes a container's directory and takes its lock. A dead container has its id until it is removed.
 *
 * @param id a name, or `undefined` for a new id.
 * @throws PaddockError where the id is no name or is taken, or the state root cannot be trusted.
 */
export function createContainer(roots: Roots, id: string | undefined): OwnedContainer {
  ensurePrivateDirectory(roots.root);
  const chosen = id === undefined || isLeftName(roots, checkName(id)) ? makeId() : id;
  // A kept container still has its name after a boot, when its state directory is gone.
  const isThereStill = chosen === id && isThere(dataDirectoryOf(roots.dataRoot, id));
  const kept = isThereStill ? seeContainer(roots, id) : undefined;
  if (kept !== undefined) throw describeConflict(kept);
  const directory = `${roots.root}/${chosen}`;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    if (makeDirectory(directory)) {
      // Whoever else has it can only be a clean-up that took the empty directory for a leftover: it is over at once.
      const lock = tryLock(directory, true);
      if (typeof lock === "object") return own(chosen, directory, lock);
    } else {
      const seen = seeContainer(roots, chosen);
      if (seen !== undefined) throw describeConflict(seen);
    }
  }
  throw new PaddockError(`cannot make ${directory}: another paddock removes it again and again`);
}

/**
 * True where the name is free although the directories of that name are another container's, which was renamed.
 *
 * @throws PaddockError where it is the name of one that was renamed.
 */
function isLeftName(roots: Roots, name: string): boolean {
  if (!isThere(`${roots.dataRoot}/${RENAMED_FILE}`)) return false;
  const named = listContainers(roots).find(({ id, record }) => id !== name && record?.name === name);
  if (named !== undefined) throw describeConflict(named);
  const first = seeContainer(roots, name)?.record?.name;
  return first !== undefined && first !== name;
}

/**
 * The container of that id or name, or whose id is the only one to begin so.
 *
 * @throws PaddockError where there is none, or more than one.
 */
export function openContainer(roots: Roots, idOrPrefix: string): SeenContainer {
  const found = findContainers(roots, idOrPrefix);
  if (found.length === 1) return found[0]!;
  if (found.length === 0) {
    throw new PaddockError(`no container '${idOrPrefix}'`, { hint: "paddock ps -a shows those that there are" });
  }
  const ids = found.map((seen) => seen.id).sort().join(", ");
  throw new PaddockError(`'${idOrPrefix}' may be one of ${found.length} containers: ${ids}`, {
    hint: "give more of the id",
  });
}

/** The container of that id or name, or all whose ids begin so. */
export function findContainers(roots: Roots, idOrPrefix: string): SeenContainer[] {
  const exact = isName(idOrPrefix) ? seeContainer(roots, idOrPrefix) : undefined;
  if (exact !== undefined && (exact.record?.name ?? exact.id) === exact.id) return [exact];
  const all = listContainers(roots);
  const named = all.filter((seen) => seen.record?.name === idOrPrefix);
  if (named.length === 0 && exact !== undefined) return [exact];
  return named.length > 0 ? named : all.filter((seen) => idOrPrefix !== "" && seen.id.startsWith(idOrPrefix));
}

/** All containers, sorted by id: those with a state directory, and those that are kept since before the last boot. */
export function listContainers(roots: Roots): SeenContainer[] {
  const ids = new Set([...listIds(roots.root), ...listDataIds(roots.dataRoot)]);
  return [...ids].sort().map((id) => seeContainer(roots, id)).filter((seen) => seen !== undefined);
}

/** The ids that have a state directory; none where there is no state root. */
export function listIds(root: string): string[] {
  try {
    return Array.from(Deno.readDirSync(root), (entry) => entry.name).filter(isName);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new PaddockError(`cannot read ${root}: ${(error as Error).message}`, { cause: error });
  }
}

/** One container as it is now; `undefined` where there is none of that id. */
export function seeContainer(roots: Roots, id: string): SeenContainer | undefined {
  const directory = `${roots.root}/${id}`;
  // The lock first: a record that was finished while we looked is then at worst said to be still running.
  const locked = isLocked(directory);
  const record = readRecord(directory) ?? readKeptRecord(roots.dataRoot, id);
  if (record === undefined && !locked && !isThere(directory)) return undefined;
  const pid = locked ? readPid(directory) : undefined;
  const pauses = locked && pid === undefined && record?.restart !== undefined && countRestarts(directory) > 0;
  return { id, directory, status: pauses ? "restarting" : deriveStatus(locked, record, pid), record, pid };
}

/**
 * Takes over a container whose lock is free, to change or remove it; makes its state directory where a boot took it.
 *
 * @returns "held" where it lives, "gone" where it was removed meanwhile.
 */
export function adoptContainer(roots: Roots, id: string): OwnedContainer | "held" | "gone" {
  ensurePrivateDirectory(roots.root);
  makeDirectory(`${roots.root}/${id}`);
  return takeContainer(roots.root, id);
}

/** As `adoptContainer`, of a state directory that was seen just now. */
export function takeContainer(root: string, id: string): OwnedContainer | "held" | "gone" {
  const directory = `${root}/${id}`;
  const lock = tryLock(directory, false);
  return typeof lock === "object" ? own(id, directory, lock) : lock;
}

/**
 * The container whose lock this process inherited from the launcher that it was: nobody else can have taken it.
 *
 * @throws PaddockError where the descriptor is not that lock.
 */
export function inheritContainer(root: string, id: string, fd: number): OwnedContainer {
  const directory = `${root}/${checkName(id)}`;
  return own(id, directory, inheritLock(directory, fd));
}

/** The record in a state directory; `undefined` where there is none, or it is damaged. */
export function readRecord(directory: string): ContainerRecord | undefined {
  const path = `${directory}/${RECORD_FILE}`;
  if (!isThere(path)) return undefined;
  try {
    return withRestarts(parseRecord(Deno.readTextFileSync(path), knownBesides(directory, path)), directory);
  } catch {
    return undefined;
  }
}

/** Those of the last start are counted by the launcher; when it ends they are added, and its file goes. */
function withRestarts(record: ContainerRecord, directory: string): ContainerRecord {
  const counted = record.restart === undefined ? 0 : countRestarts(directory);
  return counted === 0 ? record : { ...record, restarts: (record.restarts ?? 0) + counted };
}

/** A launcher from the cache cannot write what is different each time: its name has it, and the file's time. */
function knownBesides(directory: string, path: string): Partial<ContainerRecord> {
  const launcherPid = launcherOf(directory.slice(directory.lastIndexOf("/") + 1));
  if (launcherPid === undefined) return {};
  return { launcherPid, created: (Deno.statSync(path).mtime ?? new Date(0)).toISOString() };
}

/** The launcher writes it in digits when the container's first process is there. */
function readPid(directory: string): number | undefined {
  return readNumber(`${directory}/${PID_FILE}`);
}

function readNumber(path: string): number | undefined {
  const pid = isThere(path) ? parseInt(Deno.readTextFileSync(path), 10) : 0;
  return pid > 0 ? pid : undefined;
}

/** The process that watches over the container, while its lock is held; a monitor writes its number itself. */
export function readLauncherPid(
  { directory, record }: Pick<SeenContainer, "directory" | "record">,
): number | undefined {
  return readNumber(`${directory}/${MONITOR_FILE}`) ?? record?.launcherPid;
}

/** Puts a file in place of the one before in one step, readable by its owner alone. */
export function replaceFile(directory: string, name: string, text: string): void {
  const path = `${directory}/${name}`;
  const beside = `${directory}/.${name}`;
  Deno.writeTextFileSync(beside, text, { mode: 0o600 });
  must(path, "renameat", AT.FDCWD, beside, AT.FDCWD, path);
}

/** How often a directory that vanishes under us is made anew. */
const ATTEMPTS = 20;

function own(id: string, directory: string, lock: Lock): OwnedContainer {
  return {
    id,
    directory,
    lock,
    writeRecord: (record) => {
      const text = formatRecord(record);
      replaceFile(directory, RECORD_FILE, text);
      if (record.keep && record.dataDir !== undefined) replaceFile(record.dataDir, KEPT_RECORD_FILE, text);
    },
    writeFile: (name, text) => replaceFile(directory, name, text),
    remove: () => removeDirectory(directory, lock),
    [Symbol.dispose]: () => lock.release(),
  };
}

/** The lock's file goes last, and the directory after it: who made a new lock in between has taken the directory over. */
function removeDirectory(directory: string, lock: Lock): void {
  for (const { name } of readEntries(directory)) {
    if (name !== LOCK_FILE) Deno.removeSync(`${directory}/${name}`, { recursive: true });
  }
  syscall("unlinkat", AT.FDCWD, `${directory}/${LOCK_FILE}`, 0);
  syscall("unlinkat", AT.FDCWD, directory, AT.REMOVEDIR);
  lock.release();
}

function readEntries(directory: string): Deno.DirEntry[] {
  try {
    return [...Deno.readDirSync(directory)];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Why a name cannot be had. */
export function describeConflict(seen: SeenContainer): PaddockError {
  const hint = seen.status === "dead" || seen.status === "stopped"
    ? `remove it: paddock rm ${seen.id}`
    : `choose another name, or end it: paddock rm -f ${seen.id}`;
  return new PaddockError(`the name '${seen.record?.name ?? seen.id}' is taken by a container that is ${seen.status}`, {
    hint,
  });
}
