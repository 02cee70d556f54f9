/**
 * Files of a root filesystem that paddock reads for itself: never through a symlink that leads out, never a device.
 *
 * @module
 */
import { encodeText } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { check, E, O, openDirectory, readWhole, S, statFd } from "../kernel/fs.ts";
import { tryOpenInRoot } from "../kernel/in_root.ts";
import { LowerTree } from "./lower_tree.ts";

/** The files that say who is who in an image, as text; empty where it has none. */
export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

/** Far above any real user database. */
const SIZE_LIMIT = 4 * 1024 * 1024;

/**
 * Reads /etc/passwd and /etc/group of a root filesystem.
 *
 * @param layers absolute paths of its directories on the host, the topmost first.
 * @throws PaddockError for a file that is no regular file, too large, or cannot be read.
 */
export function readUserFiles(layers: readonly string[]): UserFiles {
  using root = new RootView(layers);
  return { passwd: root.readText("/etc/passwd") ?? "", group: root.readText("/etc/group") ?? "" };
}

/** A root filesystem, of one directory or of several over one another. Dispose of it to close its descriptors. */
export class RootView implements Disposable {
  readonly #open: (path: string, flags: number) => number;
  readonly #roots: Disposable;

  /** @param layers absolute paths, the topmost first. */
  constructor(layers: readonly string[]) {
    if (layers.length === 1) {
      const root = openDirectory(layers[0]!);
      this.#roots = root;
      this.#open = (path, flags) => tryOpenInRoot(root.number, encodeText(path), flags);
    } else {
      const tree = new LowerTree(layers);
      this.#roots = tree;
      this.#open = (path, flags) => tree.open(encodeText(path), flags);
    }
  }

  [Symbol.dispose](): void {
    this.#roots[Symbol.dispose]();
  }

  /** The text of a file, or `undefined` where there is none. @throws PaddockError */
  readText(path: string, limit = SIZE_LIMIT): string | undefined {
    const bytes = this.readBytes(path, limit);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }

  /** The same as bytes. @throws PaddockError */
  readBytes(path: string, limit = SIZE_LIMIT): Uint8Array | undefined {
    // O_NONBLOCK: a fifo in its place must not keep us waiting.
    const fd = this.#open(path, O.RDONLY | O.NONBLOCK | O.NOCTTY);
    if (fd === -E.NOENT || fd === -E.NOTDIR) return undefined;
    using file = new Fd(check(`"${path}" of the image`, "open", fd));
    const { mode, size } = statFd(file.number, `"${path}" of the image`);
    if ((mode & S.IFMT) !== S.IFREG) throw new PaddockError(`"${path}" of the image is not a regular file`);
    if (size > limit) throw new PaddockError(`"${path}" of the image is larger than ${limit} bytes`);
    return readWhole(file.number, limit, path);
  }

  /** Is something at a path? Symlinks are followed, inside. */
  has(path: string): boolean {
    const fd = this.#open(path, O.PATH);
    if (fd >= 0) calls.close(fd);
    return fd >= 0;
  }
}
