/**
 * What a container writes, on disk: one directory for each below the data root.
 *
 * ```
 * /var/lib/paddock/containers/ID/upper, work   the writable layer of its overlay
 *                                rootfs        a root filesystem of its own, where there is no overlay
 *                                state         symbolic link to its directory below the state root
 *                                record.json   the record, of a container that is kept: /run forgets it at a boot
 * ```
 *
 * The link says to everyone who shares this data root, and perhaps not the state root, whose directory it is: a
 * clean-up removes nothing of a container whose state it can find.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { isName } from "../base/names.ts";
import { AT, E } from "../kernel/constants.ts";
import { must, syscall } from "../kernel/syscall.ts";
import { type ContainerRecord, parseRecord } from "./record.ts";
import { ensurePrivateDirectory, makeDirectory } from "./root.ts";

/** The name of the link to the state directory. Whoever removes a data directory has to remove it too. */
export const STATE_LINK = "state";

/** The name of the record that a kept container has here. */
export const KEPT_RECORD_FILE = "record.json";

/** The file in the data root that says: a container may have another name than its id. */
export const RENAMED_FILE = "renamed";

/** Where the container of that id keeps its data, whether it exists or not. */
export function dataDirectoryOf(dataRoot: string, id: string): string {
  return `${dataRoot}/containers/${id}`;
}

/**
 * Makes the data directory of a container whose state directory is made and locked already.
 *
 * @returns its path.
 * @throws PaddockError where the data root cannot be trusted, or there is one of that id.
 */
export function makeDataDirectory(dataRoot: string, id: string, stateDirectory: string): string {
  ensureDataDirectories(dataRoot);
  const directory = dataDirectoryOf(dataRoot, id);
  if (!makeDirectory(directory)) {
    throw new PaddockError(`${directory} exists: another container has the name '${id}'`, {
      hint: "choose another name, or remove what dead containers left: paddock gc",
    });
  }
  linkState(directory, stateDirectory);
  return directory;
}

/** Says whose directory it is, in place of what was said before. */
export function linkState(directory: string, stateDirectory: string): void {
  const path = `${directory}/${STATE_LINK}`;
  syscall("unlinkat", AT.FDCWD, path, 0);
  must(path, "symlinkat", stateDirectory, AT.FDCWD, path);
}

/** Makes the directories that those of all containers lie in. @throws PaddockError where they cannot be trusted. */
export function ensureDataDirectories(dataRoot: string): void {
  ensurePrivateDirectory(dataRoot);
  ensurePrivateDirectory(`${dataRoot}/containers`);
}

/** The ids that have a data directory. */
export function listDataIds(dataRoot: string): string[] {
  try {
    return Array.from(Deno.readDirSync(`${dataRoot}/containers`), (entry) => entry.name).filter(isName).sort();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw new PaddockError(`cannot read ${dataRoot}/containers: ${(error as Error).message}`, { cause: error });
  }
}

/** The record of a kept container in its data directory; `undefined` where there is none, or it is damaged. */
export function readKeptRecord(dataRoot: string, id: string): ContainerRecord | undefined {
  const path = `${dataDirectoryOf(dataRoot, id)}/${KEPT_RECORD_FILE}`;
  if (syscall("faccessat", AT.FDCWD, path, 0) < 0) return undefined;
  try {
    const record = parseRecord(Deno.readTextFileSync(path));
    return record.keep && record.id === id ? record : undefined;
  } catch {
    return undefined;
  }
}

/** The state directory that a data directory belongs to; `undefined` where it does not say. */
export function readOwner(dataDirectory: string): string | undefined {
  const buffer = new Uint8Array(4096);
  const length = syscall("readlinkat", AT.FDCWD, `${dataDirectory}/${STATE_LINK}`, buffer, buffer.length);
  return length < 0 ? undefined : new TextDecoder().decode(buffer.subarray(0, length));
}

/** True where something is at the path; a symbolic link is followed. */
export function isThere(path: string): boolean {
  return syscall("faccessat", AT.FDCWD, path, 0) !== -E.NOENT;
}
