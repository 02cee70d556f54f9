/**
 * Writes a tree of files as a tar archive, as `docker export` does: for `paddock export`; or what a container has changed
 * as the layer of an image (image-spec layer.md): for `paddock commit`.
 *
 * Always in the same order (by the bytes of names, a directory before what is in it), with owners, modes, times to the
 * nanosecond, extended attributes and capabilities, hard links, devices and holes. Left out: sockets, which no archive
 * holds; what is mounted below; the overlay filesystem's own attributes; SELinux labels, which are the host's.
 *
 * In a layer an overlay's marks (the kernel's `filesystems/overlayfs.rst`) become those of image layers: `.wh.NAME` for
 * what was removed, `.wh..wh..opq` in a directory that hides the one below. Holes are written as zeros there, as every
 * other tool does it: readers of layers are not at home with sparse files.
 *
 * @module
 */
import { type ByteString, quoteName, toCBytes } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import {
  check,
  E,
  type FileStat,
  listDirectory,
  listXattrs,
  O,
  procPath,
  readLinkAt,
  S,
  statAt,
  statFd,
} from "../kernel/fs.ts";
import { openInRoot } from "../kernel/in_root.ts";
import type { Segment } from "./tar_header.ts";
import { isOpaque, isWhiteout, type LowerTree, OPAQUE_FILE, WHITEOUT_PREFIX } from "./lower_tree.ts";
import type { EntryType } from "./tar_entry.ts";
import { type NewEntry, TarWriter } from "./tar_writer.ts";

const CHUNK = 1 << 20;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;

const ENTRY_TYPE: Readonly<Record<number, EntryType>> = {
  [S.IFREG]: "file",
  [S.IFDIR]: "directory",
  [S.IFLNK]: "symlink",
  [S.IFCHR]: "character",
  [S.IFBLK]: "block",
  [S.IFIFO]: "fifo",
};

/**
 * Writes all files below a directory.
 *
 * @param root descriptor of the directory, which is not trusted: a container may be changing it meanwhile.
 * @param write takes the archive's bytes, valid during the call.
 * @param change of each entry, where it is not to be as it is.
 * @throws KernelError for what cannot be read.
 */
export function exportTree(root: number, write: Write, change?: EntryChange): void {
  new TreeExporter(root, makeWriter(write, change), undefined).run();
}

/**
 * Writes one file, link, device or fifo as an archive.
 *
 * @param dir descriptor of its directory, which is not trusted.
 * @param name one component.
 * @throws KernelError for what cannot be read.
 */
export function exportOne(dir: number, name: ByteString, write: Write, change?: EntryChange): void {
  new TreeExporter(dir, makeWriter(write, change), undefined).runOne(name);
}

type Write = (bytes: Uint8Array<ArrayBuffer>) => void;

/** What may be changed of an entry on its way. */
export type ChangedEntry = Pick<NewEntry, "path" | "linkPath" | "type" | "mode" | "uid" | "gid" | "xattrs">;

/** Gives an entry as it is to be; undefined leaves it out. */
export type EntryChange = (entry: ChangedEntry) => ChangedEntry | undefined;

function makeWriter(write: Write, change: EntryChange | undefined): TarWriter {
  return change === undefined ? new TarWriter(write) : new ChangingWriter(write, change);
}

class ChangingWriter extends TarWriter {
  readonly #change: EntryChange;

  constructor(write: Write, change: EntryChange) {
    super(write);
    this.#change = change;
  }

  override entry(entry: NewEntry): void {
    const changed = this.#change(entry);
    if (changed !== undefined) return super.entry({ ...entry, ...changed });
    if (entry.type === "file") throw new RangeError("tar: a file cannot be left out, for its data follows");
  }
}

/** What it takes to make a layer of an overlay's upper directory. */
export interface LayerExport {
  /** The layers below. */
  readonly lower: LowerTree;
  /**
   * Opens upper and lower as one tree; called where the kernel keeps only a hint in the upper directory (`redirect_dir`,
   * `metacopy`). The descriptor is closed here.
   */
  readonly openMerged: () => Fd;
  /** The ids that the container has for those on disk; absent where they are the same. */
  readonly ids?: { readonly uid: (id: number) => number; readonly gid: (id: number) => number };
  /** fuse-overlayfs made the upper directory: where it cannot make an overlay's marks it makes those of layers. */
  readonly hasNamedMarks?: boolean;
  /** Told what cannot be in a layer. */
  readonly note: (line: string) => void;
}

/**
 * Writes an overlay's upper directory as a layer.
 *
 * @param root descriptor of the upper directory.
 * @param write takes the archive's bytes, valid during the call.
 * @throws KernelError for what cannot be read.
 */
export function exportLayer(root: number, write: (bytes: Uint8Array<ArrayBuffer>) => void, layer: LayerExport): void {
  using exporter = new TreeExporter(root, new TarWriter(write), layer);
  exporter.run();
}

/** A tree that is read, and what is known of it. */
class Tree {
  readonly #home: FileStat;
  /** First path of each file that has several, by inode. */
  readonly links = new Map<bigint, ByteString>();

  constructor(readonly root: number) {
    this.#home = statFd(root, "the tree to export");
  }

  get stat(): FileStat {
    return this.#home;
  }

  /** Is it on the same mount? */
  holds({ dev, mountId }: FileStat): boolean {
    return dev === this.#home.dev && mountId === this.#home.mountId;
  }
}

const OVERLAY = "trusted.overlay.";

class TreeExporter implements Disposable {
  readonly #buffer = new Uint8Array(CHUNK);
  readonly #tree: Tree;
  /** Upper and lower layers as one, once it was needed. */
  #merged: { readonly tree: Tree; readonly fd: Fd } | undefined;

  constructor(root: number, private readonly writer: TarWriter, private readonly layer: LayerExport | undefined) {
    this.#tree = new Tree(root);
  }

  [Symbol.dispose](): void {
    this.#merged?.fd.close();
  }

  run(): void {
    if (this.layer === undefined || this.#isRootChanged()) {
      this.#writeEntry(this.#tree, this.#tree.root, "", "./", this.#tree.stat);
    }
    this.#writeDirectory(this.#tree, "");
    this.writer.finish();
  }

  /** Of what lies in the root, one thing that is no directory. */
  runOne(name: ByteString): void {
    const stat = statAt(this.#tree.root, name);
    if (stat === undefined) check(quoteName(name), "statx", -E.NOENT);
    else this.#writeEntry(this.#tree, this.#tree.root, name, name, stat);
    this.writer.finish();
  }

  /** Of the root itself only owner, mode and attributes are of interest: the upper directory is new each time. */
  #isRootChanged(): boolean {
    const below = this.layer!.lower.directory([]);
    if (below === undefined) return true;
    const own = keptXattrs(listXattrs(procPath(this.#tree.root, "."), "the root"));
    const { mode, uid, gid } = below.stat;
    const now = this.#describe(this.#tree.stat);
    const hides = isOpaque(this.#tree.root);
    return hides || mode !== this.#tree.stat.mode || uid !== now.uid || gid !== now.gid ||
      JSON.stringify(own.map(toComparable)) !== JSON.stringify(keptXattrs(below.xattrs).map(toComparable));
  }

  #writeDirectory(tree: Tree, path: ByteString): void {
    using directory = openInRoot(tree.root, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    const isOwn = tree === this.#tree && this.layer !== undefined;
    if (isOwn && isOpaque(directory.number)) this.#hideBelow(path);
    for (const { name } of listDirectory(directory.number, quoteName(path))) {
      const stat = statAt(directory.number, name);
      // Removed since the directory was read.
      if (stat === undefined) continue;
      const childPath = path === "" ? name : `${path}/${name}`;
      if (isOwn && this.layer!.hasNamedMarks && name.startsWith(WHITEOUT_PREFIX)) {
        if (name !== OPAQUE_FILE) this.#writeWhiteout(path === "" ? name.slice(4) : `${path}/${name.slice(4)}`);
      } else if (this.layer !== undefined && name.startsWith(WHITEOUT_PREFIX)) {
        this.layer.note(`${quoteName(childPath)} is left out: in a layer its name says that another file was removed`);
      } else if (isOwn && isWhiteout(stat)) this.#writeWhiteout(childPath);
      else this.#writeChild(tree, directory.number, name, childPath, stat);
    }
  }

  #writeChild(tree: Tree, dir: number, name: ByteString, path: ByteString, stat: FileStat): void {
    const isDirectory = (stat.mode & S.IFMT) === S.IFDIR;
    const mark = tree === this.#tree && this.layer !== undefined ? findMark(dir, name) : undefined;
    if (mark === "whiteout") return this.#writeWhiteout(path);
    this.#writeEntry(tree, dir, name, isDirectory ? `${path}/` : path, stat, mark === "metacopy");
    if (!isDirectory || !tree.holds(stat)) return;
    if (mark !== "redirect") return this.#writeDirectory(tree, path);
    // It was moved here from elsewhere: all that it shows belongs to the layer.
    this.#hideBelow(path);
    this.#writeDirectory(this.#openMerged(), path);
  }

  /** Nothing of the directory below is seen; where there is none, that need not be said. */
  #hideBelow(path: ByteString): void {
    const below = this.layer!.lower.stat(path === "" ? [] : path.split("/"));
    if (below === undefined || (below.mode & S.IFMT) !== S.IFDIR) return;
    this.writer.entry({ ...MARK, path: path === "" ? OPAQUE_FILE : `${path}/${OPAQUE_FILE}` });
  }

  /** What is not below need not be hidden. */
  #writeWhiteout(path: ByteString): void {
    const parts = path.split("/");
    if (this.layer!.lower.stat(parts) === undefined) return;
    const name = `${WHITEOUT_PREFIX}${parts.pop()}`;
    this.writer.entry({ ...MARK, path: [...parts, name].join("/") });
  }

  #openMerged(): Tree {
    if (this.#merged === undefined) {
      const fd = this.layer!.openMerged();
      this.#merged = { fd, tree: new Tree(fd.number) };
    }
    return this.#merged.tree;
  }

  /** @param isElsewhere the data of the file lies in a lower layer. */
  #writeEntry(tree: Tree, dir: number, name: ByteString, path: ByteString, stat: FileStat, isElsewhere = false): void {
    const type = ENTRY_TYPE[stat.mode & S.IFMT];
    if (type === undefined) return;
    const described = this.#describe(stat);
    const first = type !== "directory" && stat.nlink > 1 ? tree.links.get(stat.ino) : undefined;
    if (first !== undefined) {
      this.writer.entry({ ...described, path, type: "hardlink", linkPath: first, size: 0, xattrs: [] });
      return;
    }
    if (type !== "directory" && stat.nlink > 1) tree.links.set(stat.ino, path);
    const xattrs = keptXattrs(listXattrs(procPath(dir, name === "" ? "." : name), quoteName(path)));
    const entry = { ...described, path, type, linkPath: type === "symlink" ? readLinkAt(dir, name) : "", xattrs };
    if (type !== "file") return this.writer.entry({ ...entry, size: 0 });
    using file = isElsewhere
      ? openInRoot(this.#openMerged().root, path, O.RDONLY | O.NOFOLLOW | O.NONBLOCK)
      : openFile(dir, name, path);
    // The size of the descriptor's file: the name may mean another by now.
    const { size, blocks } = statFd(file.number, quoteName(path));
    const isSparse = this.layer === undefined && blocks * 512 < size;
    const segments = isSparse ? findSegments(file.number, size) : undefined;
    this.writer.entry({ ...entry, size, ...(segments === undefined ? {} : { segments }) });
    for (const { offset, length } of segments ?? [{ offset: 0, length: size }]) {
      this.#copy(file.number, path, offset, length);
    }
  }

  #copy(fd: number, path: ByteString, offset: number, length: number): void {
    while (length > 0) {
      const part = this.#buffer.subarray(0, Math.min(length, CHUNK));
      const got = check(quoteName(path), "pread64", calls.pread(fd, part, offset));
      // It became shorter while it was read: zeros for the rest, as the header is out already.
      if (got === 0) part.fill(0);
      const bytes = got === 0 ? part : part.subarray(0, got);
      this.writer.data(bytes);
      offset += bytes.length;
      length -= bytes.length;
    }
  }

  #describe(stat: FileStat): ReturnType<typeof describe> {
    const { ids } = this.layer ?? {};
    const described = describe(stat);
    return ids === undefined ? described : { ...described, uid: ids.uid(stat.uid), gid: ids.gid(stat.gid) };
  }
}

/** An entry that stands for no file. */
const MARK = {
  type: "file",
  linkPath: "",
  size: 0,
  mode: 0o600,
  uid: 0,
  gid: 0,
  mtimeSec: 0,
  mtimeNsec: 0,
  devMajor: 0,
  devMinor: 0,
  xattrs: [],
} as const;

/** What an overlay says of a file by an attribute of its own. */
function findMark(dir: number, name: ByteString): "whiteout" | "redirect" | "metacopy" | undefined {
  const path = procPath(dir, name);
  for (const mark of ["whiteout", "redirect", "metacopy"] as const) {
    if (calls.lgetxattr(toCBytes(path), toCBytes(`${OVERLAY}${mark}`), new Uint8Array(0)) >= 0) return mark;
  }
  return undefined;
}

type Xattr = { readonly name: ByteString; readonly value: Uint8Array<ArrayBuffer> };

function keptXattrs(xattrs: readonly Xattr[]): Xattr[] {
  return xattrs.filter(({ name }) => !isLeftOut(name));
}

function toComparable({ name, value }: Xattr): unknown[] {
  return [name, ...value];
}

function describe(
  stat: FileStat,
): { mode: number; uid: number; gid: number; mtimeSec: number; mtimeNsec: number; devMajor: number; devMinor: number } {
  return {
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    mtimeSec: stat.mtimeSec,
    mtimeNsec: stat.mtimeNsec,
    devMajor: stat.rdevMajor,
    devMinor: stat.rdevMinor,
  };
}

function openFile(dir: number, name: ByteString, path: ByteString): Fd {
  // O_NONBLOCK: should a fifo have taken its place, opening it does not wait.
  const fd = calls.openat(dir, toCBytes(name), O.RDONLY | O.NOFOLLOW | O.NONBLOCK | O.CLOEXEC);
  const file = new Fd(check(quoteName(path), "openat", fd));
  if ((statFd(fd).mode & S.IFMT) === S.IFREG) return file;
  file.close();
  throw new PaddockError(`exporting ${quoteName(path)}: it became something else meanwhile`, { hint: "try again" });
}

/** The parts of a file that have data; `undefined` where the filesystem does not tell, or it is all data. */
function findSegments(fd: number, size: number): Segment[] | undefined {
  const segments: Segment[] = [];
  for (let at = 0; at < size;) {
    const offset = calls.lseek(fd, at, SEEK_DATA);
    if (offset === -E.NXIO) break;
    const end = offset < 0 ? offset : calls.lseek(fd, offset, SEEK_HOLE);
    if (offset < 0 || end <= offset) return undefined;
    segments.push({ offset, length: Math.min(end, size) - offset });
    at = end;
  }
  const isWhole = segments.length === 1 && segments[0]!.offset === 0 && segments[0]!.length === size;
  if (isWhole) return undefined;
  // GNU tar takes the end of the last segment for the end of the file: an empty one says where that is.
  const end = segments.at(-1);
  if (end === undefined || end.offset + end.length < size) segments.push({ offset: size, length: 0 });
  return segments;
}

function isLeftOut(name: ByteString): boolean {
  return name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.") ||
    name.startsWith("user.fuseoverlayfs.") || name === "security.selinux";
}
