/**
 * Directories of imports at work, `layers/tmp/NAME`: each is locked with flock as long as its import lives, so what is
 * not locked is a leftover.
 *
 * @module
 */
import { toCBytes } from "../base/byte_string.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { check, listDirectory, LOCK, lockFd, O, openAt, statAt, statFd, toCText } from "../kernel/fs.ts";
import { removeTreeAt } from "../kernel/remove_tree.ts";
import { explainStore } from "./store_errors.ts";

/** The temporary directories of a store. */
export class TemporaryDirectories {
  /** @param layers descriptor of the store's `layers`; stays the caller's. */
  constructor(private readonly dataRoot: string, private readonly layers: number) {}

  /** Lends a directory that is gone afterwards, whatever happens. @param body takes its absolute path. */
  async lend<T>(body: (path: string, directory: Fd) => Promise<T>): Promise<T> {
    try {
      const { name, directory } = this.#make();
      using _lock = directory;
      try {
        return await body(`${this.dataRoot}/layers/tmp/${name}`, directory);
      } finally {
        // Of a layer that was published the name is gone already.
        this.remove(name);
      }
    } catch (error) {
      throw explainStore(this.dataRoot, error);
    }
  }

  /** A directory to import into, locked: only what is not locked is taken for a leftover. */
  #make(): { name: string; directory: Fd } {
    for (;;) {
      const name = makeTemporaryName();
      const directory = makeDirectory(this.layers, `tmp/${name}`, 0o700);
      lockFd(directory.number, LOCK.EX);
      // A cleaner may have taken it in the moment before it was locked.
      if (statAt(this.layers, `tmp/${name}`)?.ino === statFd(directory.number).ino) return { name, directory };
      directory.close();
    }
  }

  /** Removes one, with all that is in it; one that is not there is no error. @throws KernelError */
  remove(name: string): void {
    using tmp = openAt(this.layers, "tmp", O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    removeTreeAt(tmp.number, name);
  }

  /** Names of those that no live import holds, each locked while the caller looks at it. */
  *lockLeftovers(): Generator<string, void, void> {
    using tmp = openAt(this.layers, "tmp", O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    for (const { name } of listDirectory(tmp.number)) {
      const fd = calls.openat(tmp.number, toCBytes(name), O.RDONLY | O.NOFOLLOW | O.CLOEXEC);
      if (fd < 0) continue;
      using directory = new Fd(fd);
      if (lockFd(directory.number, LOCK.EX | LOCK.NB)) yield name;
    }
  }
}

/** A name that no other process chooses. */
export function makeTemporaryName(): string {
  const random = crypto.getRandomValues(new Uint8Array(8));
  return `${Deno.pid}-${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Makes a directory and opens it. @throws KernelError */
export function makeDirectory(dir: number, name: string, mode: number): Fd {
  check(`"${name}"`, "mkdirat", calls.mkdirat(dir, toCText(name), mode));
  const directory = openAt(dir, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  // Whatever the umask is, and whatever a setgid directory above hands on.
  check(`"${name}"`, "fchmod", calls.fchmod(directory.number, mode));
  return directory;
}
