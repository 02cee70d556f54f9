/**
 * Layers as an overlay would show them, looked at without mounting one: for who unpacks the next layer, or wants to know
 * what an image has.
 *
 * @module
 */
import { type ByteString, quoteName, toCBytes } from "../base/byte_string.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import {
  check,
  E,
  type FileStat,
  listXattrs,
  O,
  openDirectory,
  procPath,
  readLinkAt,
  S,
  statAt,
  statFd,
} from "../kernel/fs.ts";

/** The attribute by which an overlay hides what lies below a directory (the kernel's `filesystems/overlayfs.rst`). */
export const OPAQUE_XATTR = "trusted.overlay.opaque";

/**
 * The marks by name, as in the archives of layers: where a filesystem takes no device nodes and no `trusted` attributes,
 * as an overlay itself does not. fuse-overlayfs knows them; no file of an image can have such a name.
 */
export const WHITEOUT_PREFIX = ".wh.";
export const OPAQUE_FILE = ".wh..wh..opq";

/** What is known of a directory that others lie over. */
export interface DirectoryModel {
  readonly stat: FileStat;
  readonly xattrs: readonly { readonly name: ByteString; readonly value: Uint8Array<ArrayBuffer> }[];
}

/** Is it a whiteout: a character device 0:0? */
export function isWhiteout({ mode, rdevMajor, rdevMinor }: FileStat): boolean {
  return (mode & S.IFMT) === S.IFCHR && rdevMajor === 0 && rdevMinor === 0;
}

/** Some layers, the topmost first. Dispose of it to close their descriptors. */
export class LowerTree implements Disposable {
  readonly #layers: readonly Fd[];

  /** @param paths absolute paths of the layers, the topmost first. */
  constructor(paths: readonly string[]) {
    this.#layers = paths.map(openDirectory);
  }

  [Symbol.dispose](): void {
    for (const layer of this.#layers) layer.close();
  }

  /** What is at a path; symlinks are not followed. */
  stat(parts: readonly ByteString[]): FileStat | undefined {
    const name = parts.at(-1);
    if (name === undefined) return this.#layers[0] === undefined ? undefined : statFd(this.#layers[0].number);
    return this.#visit(parts.slice(0, -1), (directory) => {
      const found = statAt(directory, name);
      if (found === undefined) return hidesName(directory, name) ? undefined : "below";
      return isWhiteout(found) ? undefined : found;
    });
  }

  /** The directory at a path, the topmost where several are shown as one. */
  directory(parts: readonly ByteString[]): DirectoryModel | undefined {
    return this.#visit(parts, (directory) => {
      const path = procPath(directory, ".");
      const xattrs = listXattrs(path, quoteName(parts.join("/"))).filter(({ name }) =>
        !name.startsWith("trusted.overlay.")
      );
      return { stat: statFd(directory), xattrs };
    });
  }

  /**
   * Opens a path as it would be found in the overlay, close-on-exec; symlinks are followed, inside.
   *
   * @returns the descriptor, which is the caller's, or the negative error number.
   */
  open(path: ByteString, flags: number): number {
    const todo = split(path).reverse();
    const at: ByteString[] = [];
    for (let links = 0; todo.length > 0;) {
      const name = todo.pop()!;
      if (name === "..") {
        at.pop();
        continue;
      }
      const target = this.#readLink(at, name);
      if (target === undefined) at.push(name);
      else {
        if (++links > MOST_LINKS) return -E.LOOP;
        if (target.startsWith("/")) at.length = 0;
        todo.push(...split(target).reverse());
      }
    }
    const name = at.pop() ?? ".";
    return this.#visit(at, (directory) => {
      const found = statAt(directory, name);
      if (found === undefined) return hidesName(directory, name) ? undefined : "below";
      return isWhiteout(found) ? undefined : calls.openat(directory, toCBytes(name), flags | O.NOFOLLOW | O.CLOEXEC);
    }) ?? -E.NOENT;
  }

  /** The target of a symlink; undefined for anything else, and nothing. */
  #readLink(parent: readonly ByteString[], name: ByteString): ByteString | undefined {
    return this.#visit(parent, (directory) => {
      const found = statAt(directory, name);
      if (found === undefined) return hidesName(directory, name) ? undefined : "below";
      return (found.mode & S.IFMT) === S.IFLNK ? readLinkAt(directory, name) : undefined;
    });
  }

  /** Calls `look` in each of the directories that are shown as one, from the top, until it has an answer. */
  #visit<T>(parts: readonly ByteString[], look: (directory: number) => T | undefined | "below"): T | undefined {
    for (const layer of this.#layers) {
      const found = this.#walk(layer.number, parts, look);
      if (found !== "below") return found;
    }
    return undefined;
  }

  /** "below" where the answer lies in a lower layer. */
  #walk<T>(
    layer: number,
    parts: readonly ByteString[],
    look: (directory: number) => T | undefined | "below",
  ): T | undefined | "below" {
    using stack = new DisposableStack();
    let at = layer;
    let isHidden = false;
    for (const part of parts) {
      const flags = O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC;
      const fd = calls.openat(at, toCBytes(part), flags);
      if (fd === -E.NOENT) return isHidden || hidesName(at, part) ? undefined : "below";
      isHidden ||= hidesName(at, part);
      // A whiteout, or something else that is no directory, ends the search.
      if (fd === -E.NOTDIR || fd === -E.LOOP) return undefined;
      at = stack.use(new Fd(check(quoteName(part), "open", fd))).number;
      isHidden ||= isOpaque(at);
    }
    const found = look(at);
    return found === "below" && isHidden ? undefined : found;
  }
}

/** Does a directory hide all below it? @param directory descriptor, not O_PATH. */
export function isOpaque(directory: number): boolean {
  const value = new Uint8Array(1);
  if (calls.fgetxattr(directory, OPAQUE_NAME, value) === 1 && value[0] === 0x79) return true;
  return statAt(directory, OPAQUE_FILE) !== undefined;
}

/** Is there a mark by name that what is called so lies below no more? */
function hidesName(directory: number, name: ByteString): boolean {
  return statAt(directory, `${WHITEOUT_PREFIX}${name}`) !== undefined;
}

function split(path: ByteString): ByteString[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/** As the kernel has it (`man 7 path_resolution`). */
const MOST_LINKS = 40;
const OPAQUE_NAME = toCBytes(OPAQUE_XATTR);
