/**
 * Files by descriptor: opening, statx, directories, locks, extended attributes; failed calls throw KernelError.
 *
 * Names are byte strings (lib/base/byte_string.ts) relative to a descriptor. For a path inside a root filesystem, which
 * is not trusted, see in_root.ts.
 *
 * @module
 */
import { type ByteString, fromByteString, quoteName, toByteString, toCBytes } from "../base/byte_string.ts";
import { AT, E, O } from "./constants.ts";
import { Fd } from "./fd.ts";
import * as calls from "./file_calls.ts";
import { KernelError } from "./syscall.ts";

export { AT, E, LOCK, O, RENAME_NOREPLACE, S } from "./constants.ts";

/** What statx(2) tells. */
export interface FileStat {
  /** Type and permission bits. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** Blocks of 512 bytes that are really allocated. */
  readonly blocks: number;
  readonly ino: bigint;
  /** `major:minor` of the filesystem's device. */
  readonly dev: string;
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  readonly ctimeSec: number;
  readonly ctimeNsec: number;
  /** Of a device node. */
  readonly rdevMajor: number;
  readonly rdevMinor: number;
  /** The mount that it is on; `undefined` before Linux 5.8. */
  readonly mountId: bigint | undefined;
}

/** One entry of a directory; `type` is a DT_ number, 0 where the filesystem does not tell. */
export interface DirEntry {
  readonly name: ByteString;
  readonly type: number;
}

/**
 * Gives the result of a call of file_calls.ts, or throws.
 *
 * @throws KernelError with the call, the object and the error number.
 */
export function check(object: string, call: string, result: number): number {
  if (result < 0) throw new KernelError(call, object, -result);
  return result;
}

/** Opens a name relative to a directory, close-on-exec. @throws KernelError */
export function openAt(dir: number, name: ByteString, flags: number, mode = 0): Fd {
  return new Fd(check(quoteName(name), "openat", calls.openat(dir, toCBytes(name), flags | O.CLOEXEC, mode)));
}

/** Opens a directory by an ordinary path of the host, given as text. @throws KernelError */
export function openDirectory(path: string): Fd {
  const name = calls.openat(AT.FDCWD, toCText(path), O.RDONLY | O.DIRECTORY | O.CLOEXEC);
  return new Fd(check(`"${path}"`, "openat", name));
}

/** statx of a name relative to a directory, not following a symlink; `undefined` when there is none. @throws KernelError */
export function statAt(dir: number, name: ByteString): FileStat | undefined {
  const buffer = new Uint8Array(256);
  const result = calls.statx(dir, toCBytes(name), AT.SYMLINK_NOFOLLOW, STATX_MASK, buffer);
  if (result === -E.NOENT) return undefined;
  check(quoteName(name), "statx", result);
  return parseStatx(buffer);
}

/** statx of a descriptor. @throws KernelError */
export function statFd(fd: number, object = "descriptor"): FileStat {
  const buffer = new Uint8Array(256);
  check(object, "statx", calls.statx(fd, EMPTY_NAME, AT.EMPTY_PATH, STATX_MASK, buffer));
  return parseStatx(buffer);
}

/** The target of a symlink, relative to a directory. @throws KernelError */
export function readLinkAt(dir: number, name: ByteString): ByteString {
  const buffer = new Uint8Array(4096);
  return toByteString(
    buffer.subarray(0, check(quoteName(name), "readlinkat", calls.readlinkat(dir, toCBytes(name), buffer))),
  );
}

/** The entries of an open directory without `.` and `..`, sorted by bytes. @throws KernelError */
export function listDirectory(fd: number, object = "directory"): DirEntry[] {
  return readDirectory(fd, object).sort((a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

/** As `listDirectory`, in the filesystem's own order: the fast one for looking at or removing every entry. */
export function readDirectory(fd: number, object = "directory"): DirEntry[] {
  const entries: DirEntry[] = [];
  const buffer = new Uint8Array(32768);
  const view = new DataView(buffer.buffer);
  check(object, "lseek", calls.lseek(fd, 0, 0));
  for (;;) {
    const length = check(object, "getdents64", calls.getdents64(fd, buffer));
    if (length === 0) break;
    for (let at = 0; at < length; at += view.getUint16(at + 16, true)) {
      const name = toByteString(buffer.subarray(at + 19, buffer.indexOf(0, at + 19)));
      if (name !== "." && name !== "..") entries.push({ name, type: buffer[at + 18] ?? 0 });
    }
  }
  return entries;
}

/** Takes a lock of flock(2); gives false when LOCK_NB was asked for and another holds it. @throws KernelError */
export function lockFd(fd: number, operation: number, object = "lock"): boolean {
  const result = calls.flock(fd, operation);
  if (result === -E.AGAIN) return false;
  check(object, "flock", result);
  return true;
}

/** Writes all bytes at an offset, or where the descriptor stands when `offset` is undefined. @throws KernelError */
export function writeAll(fd: number, bytes: Uint8Array<ArrayBuffer>, object: string, offset?: number): void {
  for (let done = 0; done < bytes.length;) {
    const rest = done === 0 ? bytes : bytes.subarray(done);
    const result = offset === undefined ? calls.write(fd, rest) : calls.pwrite(fd, rest, offset + done);
    done += check(object, "write", result);
  }
}

/** Reads a file from its beginning, at most `limit` bytes. @throws KernelError; RangeError when it is longer. */
export function readWhole(fd: number, limit: number, object = "file"): Uint8Array<ArrayBuffer> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let total = 0;
  for (;;) {
    const chunk = new Uint8Array(65536);
    const length = check(object, "read", calls.pread(fd, chunk, total));
    if (length === 0) break;
    total += length;
    if (total > limit) throw new RangeError(`${object}: longer than ${limit} bytes`);
    chunks.push(chunk.subarray(0, length));
  }
  const whole = new Uint8Array(total);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** A path that names what lies in an open directory, for the calls that take no descriptor (`man 5 proc`). */
export function procPath(dir: number, name: ByteString): ByteString {
  return `/proc/self/fd/${dir}/${name}`;
}

/** Two `struct timespec` for utimensat: the access time left as it is, the modification time set. */
export function encodeTimes(
  sec: number,
  nsec: number,
  into: Uint8Array<ArrayBuffer> = new Uint8Array(32),
): Uint8Array<ArrayBuffer> {
  // By halves of 32 bits: this is done for every file of an archive, and a bigint costs an allocation.
  const words = new Int32Array(into.buffer, into.byteOffset, 8);
  words[2] = UTIME_OMIT;
  words[3] = 0;
  words[4] = sec | 0;
  words[5] = Math.floor(sec / 2 ** 32);
  words[6] = nsec;
  words[7] = 0;
  return into;
}

/** The kernel's number of a device (`makedev(3)` as mknod(2) takes it: 12 bits major, 20 bits minor). */
export function encodeDevice(major: number, minor: number): number {
  return ((minor & 0xff) | ((major & 0xfff) << 8) | ((minor & 0xfff00) << 12)) >>> 0;
}

/** The NUL-terminated UTF-8 form of text. */
export function toCText(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${text}\0`);
}

/** All extended attributes of what lies at a path, not following a symlink; none where there are none to have. */
export function listXattrs(path: ByteString, object: string): { name: ByteString; value: Uint8Array<ArrayBuffer> }[] {
  const cPath = toCBytes(path);
  const names = growing((into) => calls.llistxattr(cPath, into), object, "llistxattr");
  if (names === undefined) return [];
  const found: { name: ByteString; value: Uint8Array<ArrayBuffer> }[] = [];
  for (const name of toByteString(names).split("\0")) {
    if (name === "") continue;
    const value = growing((into) => calls.lgetxattr(cPath, toCBytes(name), into), object, "lgetxattr");
    if (value !== undefined) found.push({ name, value });
  }
  return found.sort((a, b) => a.name < b.name ? -1 : 1);
}

const ERANGE = 34;
const UTIME_OMIT = 0x3ffffffe;
const EMPTY_NAME = fromByteString("\0");
/** STATX_BASIC_STATS and STATX_MNT_ID. */
const STATX_MASK = 0x7ff | 0x1000;

/** Calls with a buffer that grows until the answer fits; `undefined` when there is no attribute or no support for any. */
function growing(
  call: (into: Uint8Array<ArrayBuffer>) => number,
  object: string,
  name: string,
): Uint8Array<ArrayBuffer> | undefined {
  for (let size = 1024;; size *= 8) {
    const buffer = new Uint8Array(size);
    const length = call(buffer);
    if (length === -ERANGE && size < 1 << 20) continue;
    if (length === -E.OPNOTSUPP || length === -E.NODATA) return undefined;
    return buffer.subarray(0, check(object, name, length));
  }
}

/** Offsets of `struct statx`, the same on every architecture (`linux/stat.h`). */
function parseStatx(buffer: Uint8Array<ArrayBuffer>): FileStat {
  const view = new DataView(buffer.buffer, buffer.byteOffset, 256);
  const hasMountId = (view.getUint32(0, true) & 0x1000) !== 0;
  return {
    nlink: view.getUint32(16, true),
    uid: view.getUint32(20, true),
    gid: view.getUint32(24, true),
    mode: view.getUint16(28, true),
    ino: view.getBigUint64(32, true),
    size: Number(view.getBigUint64(40, true)),
    blocks: Number(view.getBigUint64(48, true)),
    ctimeSec: Number(view.getBigInt64(96, true)),
    ctimeNsec: view.getUint32(104, true),
    mtimeSec: Number(view.getBigInt64(112, true)),
    mtimeNsec: view.getUint32(120, true),
    rdevMajor: view.getUint32(128, true),
    rdevMinor: view.getUint32(132, true),
    dev: `${view.getUint32(136, true)}:${view.getUint32(140, true)}`,
    mountId: hasMountId ? view.getBigUint64(144, true) : undefined,
  };
}
