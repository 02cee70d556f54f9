/**
 * Paths inside a directory that is not trusted: resolved as if that directory were `/`, never leaving it.
 *
 * `openat2(RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS)` does it in the kernel (since Linux 5.6). Where that is missing
 * (ENOSYS; EPERM from old seccomp filters) the path is walked component by component with O_NOFOLLOW descriptors, and
 * symlinks are read and expanded here. The walk keeps a descriptor of every directory that it came through, so that `..`
 * goes back to where it came from whatever is renamed meanwhile.
 *
 * @module
 */
import { type ByteString, quoteName, toCBytes } from "../base/byte_string.ts";
import { Fd } from "./fd.ts";
import * as calls from "./file_calls.ts";
import { check, E, O, readLinkAt, S, statFd } from "./fs.ts";
import { KernelError } from "./syscall.ts";

const RESOLVE_NO_MAGICLINKS = 0x02n;
const RESOLVE_IN_ROOT = 0x10n;
/** As many as the kernel follows (`MAXSYMLINKS`). */
const MAX_LINKS = 40;

let hasOpenat2: boolean | undefined;

/** Makes the walk be used even where the kernel has openat2, for tests; `undefined` probes again. */
export function forceWalk(force: boolean | undefined): void {
  hasOpenat2 = force === undefined ? undefined : !force;
}

/**
 * Opens a path inside `root`, close-on-exec.
 *
 * @param path absolute or relative, both from `root`; `..` stops at `root`.
 * @param flags of openat(2), without O_CREAT; O_NOFOLLOW leaves a symlink at the end alone.
 * @throws KernelError
 */
export function openInRoot(root: number, path: ByteString, flags: number): Fd {
  return new Fd(check(quoteName(path), "openat2", tryOpenInRoot(root, path, flags)));
}

/** As `openInRoot`, giving the descriptor or the negative error number. The caller owns the descriptor. */
export function tryOpenInRoot(root: number, path: ByteString, flags: number): number {
  if (hasOpenat2 !== false) {
    const result = calls.openat2(root, toCBytes(path === "" ? "." : path), encodeHow(flags | O.CLOEXEC));
    if (result !== -E.NOSYS && !(result === -E.PERM && hasOpenat2 === undefined)) {
      hasOpenat2 = true;
      return result;
    }
    hasOpenat2 = false;
  }
  return walk(root, path, flags, undefined);
}

/**
 * Opens a directory inside `root` (O_PATH), making what is missing on the way with `mode`; a dangling symlink on the way
 * has its target made, inside `root` as well.
 *
 * @throws KernelError
 */
export function makeDirectoriesInRoot(root: number, path: ByteString, mode: number): Fd {
  const result = walk(root, path, O.PATH | O.DIRECTORY, mode);
  return new Fd(check(quoteName(path), "mkdirat", result));
}

const hows = new Map<number, Uint8Array<ArrayBuffer>>();

/** `struct open_how` for some flags; made once, as a few combinations serve all. */
function encodeHow(flags: number): Uint8Array<ArrayBuffer> {
  const known = hows.get(flags);
  if (known !== undefined) return known;
  const how = new Uint8Array(24);
  hows.set(flags, how);
  const view = new DataView(how.buffer);
  view.setBigUint64(0, BigInt(flags), true);
  view.setBigUint64(16, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS, true);
  return how;
}

/** @param makeMode mode of missing directories, or `undefined` not to make any. */
function walk(root: number, path: ByteString, flags: number, makeMode: number | undefined): number {
  const stack: Fd[] = [];
  const top = (): number => stack.at(-1)?.number ?? root;
  try {
    const todo = split(path).reverse();
    let links = 0;
    while (todo.length > 0) {
      const name = todo.pop()!;
      if (name === "..") {
        stack.pop()?.close();
        continue;
      }
      const last = todo.length === 0;
      let fd = calls.openat(top(), toCBytes(name), O.PATH | O.NOFOLLOW | O.CLOEXEC);
      if (fd === -E.NOENT && makeMode !== undefined) {
        const made = calls.mkdirat(top(), toCBytes(name), makeMode);
        if (made < 0 && made !== -E.EXIST) return made;
        fd = calls.openat(top(), toCBytes(name), O.PATH | O.NOFOLLOW | O.CLOEXEC);
      }
      if (fd < 0) return fd;
      const found = new Fd(fd);
      const type = statFd(fd).mode & S.IFMT;
      if (type === S.IFLNK && !(last && (flags & O.NOFOLLOW) !== 0)) {
        using link = found;
        if (++links > MAX_LINKS) return -E.LOOP;
        const target = readLinkAt(link.number, "");
        if (target.startsWith("/")) { while (stack.length > 0) stack.pop()!.close(); }
        todo.push(...split(target).reverse());
        continue;
      }
      if (!last && type !== S.IFDIR) {
        found.close();
        return -E.NOTDIR;
      }
      if (last) return finish(top(), name, found, type, flags);
      stack.push(found);
    }
    return calls.openat(top(), toCBytes("."), flags | O.CLOEXEC);
  } catch (error) {
    if (error instanceof KernelError) return -error.errno;
    throw error;
  } finally {
    for (const fd of stack) fd.close();
  }
}

/** Opens the last component with the flags that were asked for; an O_PATH descriptor of it is there already. */
function finish(dir: number, name: ByteString, found: Fd, type: number, flags: number): number {
  if ((flags & O.DIRECTORY) !== 0 && type !== S.IFDIR) {
    found.close();
    return -E.NOTDIR;
  }
  if ((flags & O.PATH) !== 0) return found.release();
  found.close();
  return calls.openat(dir, toCBytes(name), flags | O.NOFOLLOW | O.CLOEXEC);
}

function split(path: ByteString): ByteString[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}
