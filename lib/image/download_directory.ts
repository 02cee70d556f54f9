/**
 * Packed layers on their way into the store, below the data root:
 *
 * ```
 * layers/downloads/ALGORITHM-HEX        whole, and what its digest says; kept in `blobs` when the image is there
 * layers/downloads/ALGORITHM-HEX.part   what has come so far, locked while more comes; the next download goes on there
 * ```
 *
 * Processes that want the same blob do the work once: one has the lock, the others look now and then. They do not sleep
 * in the kernel, since each has other downloads that must go on.
 *
 * @module
 */
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { AT, check, E, O, openDirectory, toCText } from "../kernel/fs.ts";
import { isThere } from "../kernel/syscall.ts";
import { blobPath, type ContentDigest } from "./content_digest.ts";
import { lockWhenFree } from "./lock_file.ts";

/** A blob that is being written, locked. */
export interface PartialBlob extends Disposable {
  readonly fd: number;
  /** Names it as whole and gives it up. */
  publish(): void;
  /** Removes it. */
  discard(): void;
}

/** The downloads of a data root. */
export class DownloadDirectory implements Disposable {
  private constructor(private readonly directory: Fd) {}

  /** Opens it, making it where it is missing. @param layers absolute path of the store's `layers`. */
  static open(layers: string): DownloadDirectory {
    Deno.mkdirSync(`${layers}/downloads`, { recursive: true, mode: 0o700 });
    return new DownloadDirectory(openDirectory(`${layers}/downloads`));
  }

  [Symbol.dispose](): void {
    this.directory.close();
  }

  /** Opens a whole blob; undefined where there is none. */
  openWhole(digest: ContentDigest): Fd | undefined {
    const flags = O.RDONLY | O.NOFOLLOW | O.CLOEXEC;
    const fd = calls.openat(this.directory.number, toCText(fileName(digest)), flags);
    return fd === -E.NOENT ? undefined : new Fd(check(digest, "openat", fd));
  }

  /** Removes a whole blob; one that is not there is no error. */
  remove(digest: ContentDigest): void {
    calls.unlinkat(this.directory.number, toCText(fileName(digest)), 0);
  }

  /** Moves a whole blob to those that are kept. @returns false where another process has done so, or removed it */
  keep(digest: ContentDigest, dataRoot: string): boolean {
    const path = `${dataRoot}/${blobPath(digest)}`;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
    const name = toCText(fileName(digest));
    const result = calls.renameat2(this.directory.number, name, AT.FDCWD, toCText(path), 0);
    if (result !== -E.NOENT) check(digest, "renameat2", result);
    return result !== -E.NOENT || isThere(path);
  }

  /** The blob as far as it has come, once nobody else writes it. @throws KernelError */
  async openPartial(digest: ContentDigest): Promise<PartialBlob> {
    const directory = this.directory.number;
    const whole = fileName(digest);
    const part = `${whole}.part`;
    const file = await lockWhenFree(directory, part);
    const unlink = (): void => void calls.unlinkat(directory, toCText(part), 0);
    return {
      fd: file.number,
      publish: () => {
        const result = calls.renameat2(directory, toCText(part), directory, toCText(whole), 0);
        check(digest, "renameat2", result);
      },
      discard: unlink,
      [Symbol.dispose]: () => file.close(),
    };
  }
}

/** What downloads have left in a data root, by path; they are good for the next one. */
export function listDownloads(dataRoot: string): string[] {
  try {
    return [...Deno.readDirSync(`${dataRoot}/layers/downloads`)].map(({ name }) =>
      `${dataRoot}/layers/downloads/${name}`
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

function fileName(digest: ContentDigest): string {
  return digest.replace(":", "-");
}
