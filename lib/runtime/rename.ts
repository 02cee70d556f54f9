/**
 * `paddock rename`: another name for a container, whose id stays.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { checkName } from "../base/names.ts";
import { isThere } from "../kernel/syscall.ts";
import {
  describeConflict,
  listContainers,
  openContainer,
  RECORD_FILE,
  replaceFile,
  seeContainer,
  type SeenContainer,
} from "../state/container.ts";
import { ensureDataDirectories, KEPT_RECORD_FILE, RENAMED_FILE } from "../state/data_directory.ts";
import { recordEvent } from "../state/journal.ts";
import { lockDirectory } from "../state/lock.ts";
import { formatRecord, parseRecord } from "../state/record.ts";
import { ensurePrivateDirectory, type Roots } from "../state/root.ts";

/**
 * Gives a container another name; its id, and with it its directories, stay.
 *
 * @throws PaddockError where the name is none or is taken, or the container is one of a bundle.
 */
export function renameContainer(idOrName: string, name: string, roots: Roots): void {
  checkName(name);
  const { id, directory, record } = openContainer(roots, idOrName);
  if (record === undefined || record.bundle !== undefined) {
    throw new PaddockError(`container '${id}' cannot be renamed: an OCI runtime's have ids only`);
  }
  ensurePrivateDirectory(roots.root);
  // Two that want the same name come one after the other.
  using _ = lockDirectory(roots.root);
  const other = findNamed(roots, name);
  if (other !== undefined && other.id !== id) throw describeConflict(other);
  ensureDataDirectories(roots.dataRoot);
  Deno.writeTextFileSync(`${roots.dataRoot}/${RENAMED_FILE}`, "", { mode: 0o600 });
  if (isThere(`${directory}/${RECORD_FILE}`)) rewriteName(directory, RECORD_FILE, name);
  if (record.keep && record.dataDir !== undefined) rewriteName(record.dataDir, KEPT_RECORD_FILE, name);
  recordEvent(roots.root, "rename", { ...record, name }, { oldName: record.name ?? id });
}

/** The record as it stands there: what is counted beside it is not in it yet. */
function rewriteName(directory: string, file: string, name: string): void {
  const record = parseRecord(Deno.readTextFileSync(`${directory}/${file}`));
  replaceFile(directory, file, formatRecord({ ...record, name }));
}

/** The container that has this very name. */
function findNamed(roots: Roots, name: string): SeenContainer | undefined {
  const exact = seeContainer(roots, name);
  if (exact !== undefined && (exact.record?.name ?? name) === name) return exact;
  return listContainers(roots).find(({ record }) => record?.name === name);
}
