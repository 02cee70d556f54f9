/**
 * Stand-in for `@std/fs`, over `node:fs`, for hosts that cannot reach JSR.
 *
 * @module
 */
import * as node from "node:fs";
import { basename, join, normalize } from "node:path";

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
  node.mkdirSync(dir, { recursive: true });
}

/** Makes the directory and its parents; an existing one is fine, another kind of file there is not. */
export async function ensureDir(dir: string | URL): Promise<void> {
  await node.promises.mkdir(dir, { recursive: true });
}

/** True where something is there, links followed, of the kind that is asked for. */
export function existsSync(path: string | URL, options: ExistsOptions = {}): boolean {
  const found = node.statSync(path, { throwIfNoEntry: false });
  return found !== undefined && isWanted(found, options);
}

/** True where something is there, links followed, of the kind that is asked for. */
export async function exists(path: string | URL, options: ExistsOptions = {}): Promise<boolean> {
  try {
    return isWanted(await node.promises.stat(path), options);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return false;
    throw error;
  }
}

/** The tree below a directory, itself first, links not followed. */
export function* walkSync(root: string, options: WalkOptions = {}): IterableIterator<WalkEntry> {
  const depth = options.maxDepth ?? Infinity;
  if (depth < 0) return;
  if ((options.includeDirs ?? true) && isIncluded(root, options)) yield entryOf(root);
  if (depth < 1 || isSkipped(root, options)) return;
  for (const found of node.readdirSync(root, { withFileTypes: true })) {
    const path = join(root, found.name);
    if (found.isDirectory()) yield* walkSync(path, { ...options, maxDepth: depth - 1 });
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
  for (const name of node.readdirSync(dir)) node.rmSync(join(dir, name), { recursive: true, force: true });
}

/** Makes the directory where it is missing and removes everything in it. */
export async function emptyDir(dir: string): Promise<void> {
  await ensureDir(dir);
  for (const name of await node.promises.readdir(dir)) {
    await node.promises.rm(join(dir, name), { recursive: true, force: true });
  }
}

/** Copies a file, a link as a link, or a whole directory. */
export function copySync(from: string, to: string, options: CopyOptions = {}): void {
  node.cpSync(from, to, copyOptions(options));
}

/** Copies a file, a link as a link, or a whole directory. */
export async function copy(from: string, to: string, options: CopyOptions = {}): Promise<void> {
  await node.promises.cp(from, to, copyOptions(options));
}

function copyOptions(options: CopyOptions): node.CopySyncOptions {
  const { overwrite = false, preserveTimestamps = false } = options;
  return { recursive: true, verbatimSymlinks: true, force: overwrite, errorOnExist: !overwrite, preserveTimestamps };
}

function isWanted(found: node.Stats, options: ExistsOptions): boolean {
  return (options.isFile !== true || found.isFile()) && (options.isDirectory !== true || found.isDirectory());
}

function isWantedKind(found: node.Dirent, options: WalkOptions): boolean {
  return found.isSymbolicLink() ? options.includeSymlinks ?? true : options.includeFiles ?? true;
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
  const found = node.lstatSync(normal);
  return {
    path: normal,
    name: basename(normal),
    isFile: found.isFile(),
    isDirectory: found.isDirectory(),
    isSymlink: found.isSymbolicLink(),
  };
}
