/**
 * Writes a tree of files as a tar archive, as `docker export` does: for `paddock export`.
 *
 * Always in the same order (by the bytes of names, a directory before what is in it), with owners, modes, times to the
 * nanosecond, extended attributes and capabilities, hard links, devices and holes. Left out: sockets, which no archive
 * holds; what is mounted below; the overlay filesystem's own attributes; SELinux labels, which are the host's.
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
import type { EntryType } from "./tar_entry.ts";
import { TarWriter } from "./tar_writer.ts";

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
 * @throws KernelError for what cannot be read.
 */
export function exportTree(root: number, write: (bytes: Uint8Array<ArrayBuffer>) => void): void {
  new TreeExporter(root, new TarWriter(write)).run();
}

class TreeExporter {
  readonly #buffer = new Uint8Array(CHUNK);
  readonly #home: FileStat;
  /** First path of each file that has several, by inode. */
  readonly #links = new Map<bigint, ByteString>();

  constructor(private readonly root: number, private readonly writer: TarWriter) {
    this.#home = statFd(root, "the tree to export");
  }

  run(): void {
    this.#writeEntry(this.root, "", "./", this.#home);
    this.#writeDirectory("");
    this.writer.finish();
  }

  #writeDirectory(path: ByteString): void {
    using directory = openInRoot(this.root, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    for (const { name } of listDirectory(directory.number, quoteName(path))) {
      const stat = statAt(directory.number, name);
      // Removed since the directory was read.
      if (stat === undefined) continue;
      const childPath = path === "" ? name : `${path}/${name}`;
      const isDirectory = (stat.mode & S.IFMT) === S.IFDIR;
      this.#writeEntry(directory.number, name, isDirectory ? `${childPath}/` : childPath, stat);
      const isHere = stat.dev === this.#home.dev && stat.mountId === this.#home.mountId;
      if (isDirectory && isHere) this.#writeDirectory(childPath);
    }
  }

  #writeEntry(dir: number, name: ByteString, path: ByteString, stat: FileStat): void {
    const type = ENTRY_TYPE[stat.mode & S.IFMT];
    if (type === undefined) return;
    const first = type !== "directory" && stat.nlink > 1 ? this.#links.get(stat.ino) : undefined;
    if (first !== undefined) {
      this.writer.entry({ ...describe(stat), path, type: "hardlink", linkPath: first, size: 0, xattrs: [] });
      return;
    }
    if (type !== "directory" && stat.nlink > 1) this.#links.set(stat.ino, path);
    const xattrs = listXattrs(procPath(dir, name === "" ? "." : name), quoteName(path)).filter((xattr) =>
      !isLeftOut(xattr.name)
    );
    const entry = { ...describe(stat), path, type, linkPath: type === "symlink" ? readLinkAt(dir, name) : "", xattrs };
    if (type !== "file") return this.writer.entry({ ...entry, size: 0 });
    using file = openFile(dir, name, path);
    // The size of the descriptor's file: the name may mean another by now.
    const { size, blocks } = statFd(file.number, quoteName(path));
    const segments = blocks * 512 < size ? findSegments(file.number, size) : undefined;
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
  return name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.") || name === "security.selinux";
}
