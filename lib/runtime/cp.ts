/**
 * `paddock cp`: files between a container and the host, or between two containers.
 *
 * ```
 * source ─ locate ─▶ descriptor of its directory, and a name ─ tar entries ─▶ renamed, owned ─▶ made below the target
 * ```
 *
 * Whoever is in the container may change it meanwhile. So every path is looked up by the kernel inside the container's
 * root (`lib/kernel/in_root.ts`), each directory is held by a descriptor from then on, and what is read and made below
 * it is named by one component that is never followed: a link that is put in the place of a directory at the wrong
 * moment leads nowhere but into the container (CVE-2018-15664, CVE-2019-10152).
 *
 * @module
 */
import { type ByteString, encodeText } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { type EntryChange, exportOne, exportTree } from "../image/export.ts";
import { DEFAULT_LIMITS } from "../image/extract_limits.ts";
import { TarReader } from "../image/tar_reader.ts";
import { TreeExtractor } from "../image/tree_extractor.ts";
import { O, openAt, S, statAt, statFd } from "../kernel/fs.ts";
import { locate, type Located } from "../kernel/locate.ts";
import { KernelError } from "../kernel/syscall.ts";
import type { IdRange } from "../state/record.ts";
import type { Roots } from "../state/root.ts";
import { openHostView, openView, type View } from "./container_files.ts";
import type { Voice } from "./voice.ts";

/** One end of a copy: a path, of the host unless a container is named; or the stream of a tar archive. */
export type CopyEnd = { readonly container?: string; readonly path: string } | "stream";

/** How it is done. */
export interface CopyOptions {
  /** Owners, special bits and all attributes stay as they are; else everything is root's, of there. */
  readonly archive: boolean;
  /** A link that is named is followed. */
  readonly follow: boolean;
}

/**
 * Copies.
 *
 * @throws PaddockError where something is not there, or the one does not fit upon the other.
 */
export function copyFiles(source: CopyEnd, target: CopyEnd, options: CopyOptions, roots: Roots, voice: Voice): void {
  if (source === "stream") {
    if (target === "stream") throw new PaddockError("a stream is not copied to itself");
    using to = open(target, roots, true);
    return unpackStream(to, voice);
  }
  using from = open(source, roots, false);
  using found = find(from, options.follow);
  if (target === "stream") {
    const name = found.isDirectory && found.contents ? "." : found.base;
    return send(found, compose(rename(name, found.isDirectory), inside(from)), (bytes) => writeAll(Deno.stdout, bytes));
  }
  using to = open(target, roots, true);
  using place = choosePlace(found, to);
  const changes = compose(
    inside(from),
    options.archive ? keep : own(voice),
    outside(to),
    rename(place.name, found.isDirectory),
  );
  unpack(place.directory, voice, (push) => send(found, changes, push));
}

function open(end: Exclude<CopyEnd, "stream">, roots: Roots, writable: boolean): View {
  return end.container === undefined ? openHostView(end.path) : openView(end.container, end.path, roots, writable);
}

/** What is to be copied. */
interface Found extends Located {
  readonly isDirectory: boolean;
  /** Only what is in the directory, not itself. */
  readonly contents: boolean;
  /** The last word of its path: what it is called in a directory that it is copied into. */
  readonly base: ByteString;
}

function find({ root, path, shown }: View, follow: boolean): Found {
  const words = path.split("/").filter((word) => word !== "");
  const last = words.at(-1) ?? "";
  const contents = last === "" || last === "." || last === "..";
  const located = reach(shown, () => locate(root, encodeText(path), follow || path.endsWith("/")));
  const stat = located.name === "" ? statFd(located.directory.number) : statAt(located.directory.number, located.name);
  if (stat === undefined) throw new PaddockError(`there is no ${shown}`);
  const type = stat.mode & S.IFMT;
  if (type === S.IFSOCK) throw new PaddockError(`${shown} is a socket, which cannot be copied`);
  const isDirectory = type === S.IFDIR;
  if (path.endsWith("/") && !isDirectory) throw new PaddockError(`${shown} is no directory`);
  return { ...located, isDirectory, contents, base: encodeText(last) };
}

/** Writes it as a tar archive. */
function send(
  { directory, name, isDirectory }: Found,
  change: EntryChange,
  write: (bytes: Uint8Array<ArrayBuffer>) => void,
): void {
  if (!isDirectory) return exportOne(directory.number, name, write, change);
  using tree = openAt(directory.number, name === "" ? "." : name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  exportTree(tree.number, write, change);
}

/** Where it is made: a directory, and by which name in there; "." where the directory itself takes what is inside. */
interface Target extends Disposable {
  readonly directory: number;
  readonly name: ByteString;
}

/** docker's rules: into a directory that is there, else by the name that is given. */
function choosePlace(found: Found, { root, path, shown }: View): Target {
  const located = reach(shown, () => locate(root, encodeText(path), true));
  const { directory, name } = located;
  const stat = name === "" ? statFd(directory.number) : statAt(directory.number, name);
  const isThere = stat !== undefined;
  const isDirectory = isThere && (stat.mode & S.IFMT) === S.IFDIR;
  if (isThere && !isDirectory && (found.isDirectory || /\/\.?$/.test(path))) {
    located[Symbol.dispose]();
    throw new PaddockError(`${shown} is no directory`, { hint: "a directory is not copied onto a file" });
  }
  if (isDirectory) {
    const inner = openAt(directory.number, name === "" ? "." : name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    located[Symbol.dispose]();
    const within = found.isDirectory && found.contents ? "." : found.base;
    return { directory: inner.number, name: within, [Symbol.dispose]: () => inner.close() };
  }
  if (!isThere && !found.isDirectory && path.endsWith("/")) {
    located[Symbol.dispose]();
    throw new PaddockError(`there is no directory ${shown}`, {
      hint: "leave the slash out to give the copy that name",
    });
  }
  return { directory: directory.number, name, [Symbol.dispose]: () => located[Symbol.dispose]() };
}

/** A tar archive from standard input, into a directory that is there; its owners are those in the container. */
function unpackStream(to: View, voice: Voice): void {
  using located = reach(to.shown, () => locate(to.root, encodeText(to.path), true));
  const { directory, name } = located;
  let inner;
  try {
    inner = openAt(directory.number, name === "" ? "." : name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  } catch (cause) {
    throw new PaddockError(`there is no directory ${to.shown}`, { hint: "an archive is unpacked into one", cause });
  }
  using tree = inner;
  const change = outside(to);
  const buffer = new Uint8Array(1 << 18);
  unpack(tree.number, voice, (push) => {
    for (let count = Deno.stdin.readSync(buffer); count !== null; count = Deno.stdin.readSync(buffer)) {
      push(buffer.subarray(0, count));
    }
  }, change);
}

type Push = (bytes: Uint8Array<ArrayBuffer>) => void;

/** Makes what an archive says below a directory. */
function unpack(directory: number, voice: Voice, feed: (push: Push) => void, change: EntryChange = keep): void {
  using extractor = new TreeExtractor(directory, DEFAULT_LIMITS);
  const reader = new TarReader({
    entry: (entry) => extractor.entry({ ...entry, ...change(entry) }),
    data: (bytes, offset) => extractor.data(bytes, offset),
    end: () => extractor.end(),
  });
  feed((bytes) => reader.push(bytes));
  reader.end();
  extractor.finish();
  extractor.warnings.forEach((line) => voice.note(line));
}

/** One change after the other. */
function compose(...changes: readonly EntryChange[]): EntryChange {
  return (entry) =>
    changes.reduce<ReturnType<EntryChange>>(
      (before, change) => before === undefined ? undefined : change(before),
      entry,
    );
}

const keep: EntryChange = (entry) => entry;

/** Names in an archive of one tree (`./`, `etc/passwd`) or one file become those below another name. */
function rename(name: ByteString, isTree: boolean): EntryChange {
  return (entry) => {
    const isRoot = entry.path === "./";
    // What is there already keeps its own owner and mode.
    if (name === ".") return isRoot ? undefined : entry;
    const put = (path: ByteString): ByteString => isTree ? `${name}/${path}` : name;
    const linkPath = entry.type === "hardlink" ? put(entry.linkPath) : entry.linkPath;
    return { ...entry, path: isRoot ? `${name}/` : put(entry.path), linkPath };
  };
}

/** From ids on disk to those in the container. */
function inside({ ids }: View): EntryChange {
  return ids === undefined ? keep : (entry) => ({
    ...entry,
    uid: mapped(entry.uid, ids.uid.hostID, ids.uid.containerID, ids.uid.size),
    gid: mapped(entry.gid, ids.gid.hostID, ids.gid.containerID, ids.gid.size),
  });
}

/** And back. */
function outside({ ids }: View): EntryChange {
  return ids === undefined
    ? keep
    : (entry) => ({ ...entry, uid: onDisk(entry.uid, ids.uid), gid: onDisk(entry.gid, ids.gid) });
}

function onDisk(id: number, { containerID, hostID, size }: IdRange): number {
  return mapped(id, containerID, hostID, size);
}

function mapped(id: number, from: number, to: number, size: number): number {
  return id >= from && id < from + size ? id - from + to : id;
}

/**
 * Everything belongs to root, and nothing gives rights: what somebody in a container had set to run as themselves must
 * not become a program that runs as the host's root.
 */
function own(voice: Voice): EntryChange {
  return (entry) => {
    if (entry.type === "character" || entry.type === "block") {
      voice.note(`a device is left out; with --archive it is copied`);
      return undefined;
    }
    const xattrs = entry.xattrs.filter(({ name }) => name.startsWith("user."));
    return { ...entry, uid: 0, gid: 0, mode: entry.mode & ~SPECIAL, xattrs };
  };
}

/** setuid and setgid. */
const SPECIAL = 0o6000;

function reach<T>(shown: string, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    if (!(cause instanceof KernelError)) throw cause;
    throw new PaddockError(`cannot reach ${shown}: ${cause.message}`, { cause });
  }
}

function writeAll(target: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(target.writeSync(rest));
}
