/**
 * Stand-in for `@std/fs`, for hosts that cannot reach JSR.
 *
 * @module
 */
import { basename, join, normalize } from "./path.ts";

/** An entry found by `walk`. */
export interface WalkEntry extends Deno.DirEntry {
  path: string;
}

/** Which entries `walk` gives. */
export interface WalkOptions {
  maxDepth?: number;
  includeFiles?: boolean;
  includeDirs?: boolean;
  includeSymlinks?: boolean;
  exts?: string[];
  match?: RegExp[];
  skip?: RegExp[];
}

/** What `exists` asks beside existence. */
export interface ExistsOptions {
  isFile?: boolean;
  isDirectory?: boolean;
}

/** How `copy` writes. */
export interface CopyOptions {
  overwrite?: boolean;
  preserveTimestamps?: boolean;
}

/** Makes the directory and its parents; an existing one is fine, another kind of file there is not. */
export function ensureDirSync(dir: string | URL): void {
  Deno.mkdirSync(dir, { recursive: true });
}

/** Makes the directory and its parents; an existing one is fine, another kind of file there is not. */
export async function ensureDir(dir: string | URL): Promise<void> {
  await Deno.mkdir(dir, { recursive: true });
}

/** True where something is there, links followed, of the kind that is asked for. */
export function existsSync(path: string | URL, options: ExistsOptions = {}): boolean {
  try {
    return isWanted(Deno.statSync(path), options);
  } catch (error) {
    return isAbsence(error);
  }
}

/** True where something is there, links followed, of the kind that is asked for. */
export async function exists(path: string | URL, options: ExistsOptions = {}): Promise<boolean> {
  try {
    return isWanted(await Deno.stat(path), options);
  } catch (error) {
    return isAbsence(error);
  }
}

/** The tree below a directory, itself first, links not followed. */
export function* walkSync(root: string, options: WalkOptions = {}): IterableIterator<WalkEntry> {
  const depth = options.maxDepth ?? Infinity;
  if (depth < 0) return;
  if ((options.includeDirs ?? true) && isIncluded(root, options)) yield entryOf(root);
  if (depth < 1 || isSkipped(root, options)) return;
  for (const found of Deno.readDirSync(root)) {
    const path = join(root, found.name);
    if (found.isDirectory) yield* walkSync(path, { ...options, maxDepth: depth - 1 });
    else if (isWantedKind(found, options) && isIncluded(path, options)) yield entryOf(path);
  }
}

/** The tree below a directory, itself first, links not followed. */
export async function* walk(root: string, options: WalkOptions = {}): AsyncIterableIterator<WalkEntry> {
  yield* walkSync(root, options);
}

/** Makes the directory where it is missing and removes everything in it. */
export function emptyDirSync(dir: string): void {
  ensureDirSync(dir);
  for (const { name } of Deno.readDirSync(dir)) Deno.removeSync(join(dir, name), { recursive: true });
}

/** Makes the directory where it is missing and removes everything in it. */
export async function emptyDir(dir: string): Promise<void> {
  await ensureDir(dir);
  for await (const { name } of Deno.readDir(dir)) await Deno.remove(join(dir, name), { recursive: true });
}

/** Copies a file, a link as a link, or a whole directory. */
export function copySync(from: string, to: string, options: CopyOptions = {}): void {
  const found = Deno.lstatSync(from);
  const there = lstatOrNull(to);
  if (there !== null && options.overwrite !== true) {
    throw new Deno.errors.AlreadyExists(`copy: "${to}" is there already`);
  }
  if (found.isDirectory) {
    ensureDirSync(to);
    for (const { name } of Deno.readDirSync(from)) copySync(join(from, name), join(to, name), options);
  } else {
    if (there !== null) Deno.removeSync(to);
    if (found.isSymlink) Deno.symlinkSync(Deno.readLinkSync(from), to);
    else Deno.copyFileSync(from, to);
  }
  if (options.preserveTimestamps === true && !found.isSymlink && found.atime !== null && found.mtime !== null) {
    Deno.utimeSync(to, found.atime, found.mtime);
  }
}

/** Copies a file, a link as a link, or a whole directory. */
export async function copy(from: string, to: string, options: CopyOptions = {}): Promise<void> {
  await Promise.resolve();
  copySync(from, to, options);
}

function lstatOrNull(path: string): Deno.FileInfo | null {
  try {
    return Deno.lstatSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** False for what is not there; any other error is one. */
function isAbsence(error: unknown): false {
  if (error instanceof Deno.errors.NotFound) return false;
  throw error;
}

function isWanted(found: Deno.FileInfo, options: ExistsOptions): boolean {
  return (options.isFile !== true || found.isFile) && (options.isDirectory !== true || found.isDirectory);
}

function isWantedKind(found: Deno.DirEntry, options: WalkOptions): boolean {
  return found.isSymlink ? options.includeSymlinks ?? true : options.includeFiles ?? true;
}

function isIncluded(path: string, options: WalkOptions): boolean {
  if (options.exts !== undefined && !options.exts.some((ext) => path.endsWith(ext))) return false;
  if (options.match !== undefined && !options.match.some((pattern) => pattern.test(path))) return false;
  return !isSkipped(path, options);
}

function isSkipped(path: string, options: WalkOptions): boolean {
  return options.skip?.some((pattern) => pattern.test(path)) ?? false;
}

function entryOf(path: string): WalkEntry {
  const normal = normalize(path);
  const { isFile, isDirectory, isSymlink } = Deno.lstatSync(normal);
  return { path: normal, name: basename(normal), isFile, isDirectory, isSymlink };
}
