/**
 * Descriptors of the directories that an extraction is working in: entries of one directory come in a row.
 *
 * @module
 */
import type { ByteString } from "../base/byte_string.ts";
import * as calls from "../kernel/file_calls.ts";
import { E, O } from "../kernel/fs.ts";
import { makeDirectoriesInRoot, tryOpenInRoot } from "../kernel/in_root.ts";

/** As many descriptors as are kept open. */
const CAPACITY = 64;

/** Opens directories in-root and keeps the last ones. */
export class ParentCache implements Disposable {
  readonly #root: number;
  readonly #open = new Map<ByteString, number>();
  readonly #aside: number[] = [];

  constructor(root: number) {
    this.#root = root;
  }

  /** A directory, made with what is missing above it (mode 0755). @throws KernelError */
  open(path: ByteString): number {
    const found = this.find(path);
    if (found !== -E.NOENT) {
      if (found >= 0) return found;
      // What is in the way is told by the call that makes directories.
    }
    return this.#keep(path, makeDirectoriesInRoot(this.#root, path, 0o755).release());
  }

  /** A directory that is there, or the negative error number. */
  find(path: ByteString): number {
    if (path === "") return this.#root;
    const known = this.#open.get(path);
    if (known !== undefined) return known;
    const fd = tryOpenInRoot(this.#root, path, O.PATH | O.DIRECTORY);
    return fd < 0 ? fd : this.#keep(path, fd);
  }

  /** Forgets all: something was removed, so a path may lead elsewhere now. What is in use stays open until `settle`. */
  clear(): void {
    this.#aside.push(...this.#open.values());
    this.#open.clear();
  }

  /** Closes what was put aside; called between two entries, when no descriptor is in use. */
  settle(): void {
    for (const fd of this.#aside) calls.close(fd);
    this.#aside.length = 0;
  }

  [Symbol.dispose](): void {
    this.clear();
    this.settle();
  }

  #keep(path: ByteString, fd: number): number {
    if (this.#open.size >= CAPACITY) this.clear();
    this.#open.set(path, fd);
    return fd;
  }
}
