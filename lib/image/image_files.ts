/**
 * The files that an image is kept in: a directory, or an archive that stays packed. Both are read by path.
 *
 * @module
 */
import { encodeText } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { AT, check, E, O, openDirectory, S, statFd, toCText } from "../kernel/fs.ts";
import { tryOpenInRoot } from "../kernel/in_root.ts";
import type { ContentDigest } from "./content_digest.ts";
import { type ArchiveSource, openBlob } from "./source.ts";
import { TarIndex } from "./tar_index.ts";

/** The layers of an image, wherever they lie. */
export interface LayerFiles {
  /** As the user named the image. */
  readonly name: string;
  /** A layer. @param what it is called in errors. @throws PaddockError where there is none. */
  openLayer(path: string, what: string, digest?: ContentDigest): Promise<ArchiveSource>;
}

/** What is kept of an image, by path. Paths come from documents that are not trusted: none leads out. */
export interface ImageFiles extends LayerFiles, Disposable {
  has(path: string): boolean;
  /** Bytes of a file; undefined where there is none. */
  sizeOf(path: string): number | undefined;
  /** A small file, whole. @throws PaddockError where there is none, or it is larger than `limit` bytes. */
  readBytes(path: string, limit: number): Uint8Array<ArrayBuffer>;
  /** A file of any size, piece by piece; a piece is valid during the call. @throws PaddockError where there is none */
  copyOut(path: string, write: (bytes: Uint8Array<ArrayBuffer>) => void): void;
}

const CHUNK = 1 << 20;

/** Where a file's bytes lie. The descriptor is closed with `close`. */
interface Place {
  readonly fd: number;
  readonly offset: number;
  readonly size: number;
  readonly close: () => void;
}

abstract class PlacedFiles implements ImageFiles {
  constructor(readonly name: string) {}

  abstract [Symbol.dispose](): void;

  /** Finds a file; undefined where there is none. */
  protected abstract place(path: string): Place | undefined;

  has(path: string): boolean {
    return this.sizeOf(path) !== undefined;
  }

  sizeOf(path: string): number | undefined {
    const place = this.place(path);
    place?.close();
    return place?.size;
  }

  readBytes(path: string, limit: number): Uint8Array<ArrayBuffer> {
    const { fd, offset, size, close } = this.#require(path);
    try {
      if (size > limit) throw new PaddockError(`"${this.name}": ${path} is larger than ${limit} bytes: refused`);
      return readExactly(fd, offset, size, `"${this.name}": ${path}`);
    } finally {
      close();
    }
  }

  copyOut(path: string, write: (bytes: Uint8Array<ArrayBuffer>) => void): void {
    const { fd, offset, size, close } = this.#require(path);
    try {
      const buffer = new Uint8Array(CHUNK);
      for (let done = 0; done < size;) {
        const part = buffer.subarray(0, Math.min(CHUNK, size - done));
        const got = check(`"${this.name}": ${path}`, "read", calls.pread(fd, part, offset + done));
        if (got === 0) throw new PaddockError(`"${this.name}": ${path} ends too early`);
        write(part.subarray(0, got));
        done += got;
      }
    } finally {
      close();
    }
  }

  async openLayer(path: string, what: string, digest?: ContentDigest): Promise<ArchiveSource> {
    const { fd, offset, size, close } = this.#require(path);
    const name = `${this.name}, ${what}`;
    const source = await openBlob({ name, fd, offset, size, ...(digest === undefined ? {} : { digest }) });
    source[Symbol.dispose] = close;
    return source;
  }

  #require(path: string): Place {
    const place = this.place(path);
    if (place !== undefined) return place;
    throw new PaddockError(`"${this.name}": ${path} is not in it, though the image names it`, {
      hint: "the image is incomplete: copy or make it again",
    });
  }
}

/** Files in a directory; symlinks in it are followed inside. @throws KernelError */
export function openImageDirectory(path: string): ImageFiles {
  return new DirectoryFiles(path, openDirectory(path));
}

class DirectoryFiles extends PlacedFiles {
  constructor(name: string, private readonly root: Fd) {
    super(name);
  }

  [Symbol.dispose](): void {
    this.root.close();
  }

  protected place(path: string): Place | undefined {
    // O_NONBLOCK: a fifo in its place must not keep us waiting.
    const fd = tryOpenInRoot(this.root.number, encodeText(path), O.RDONLY | O.NONBLOCK | O.NOCTTY);
    if (fd === -E.NOENT || fd === -E.NOTDIR) return undefined;
    const file = new Fd(check(`"${this.name}/${path}"`, "open", fd));
    const { mode, size } = statFd(fd);
    if ((mode & S.IFMT) === S.IFREG) return { fd, offset: 0, size, close: () => file.close() };
    file.close();
    return undefined;
  }
}

/** Files in a plain archive. */
export interface ArchivedFiles extends ImageFiles {
  /** Paths of all files. */
  paths(): readonly string[];
}

/**
 * Files in an archive that is a plain tar.
 *
 * @param path opens it.
 * @param name as the user named it.
 * @throws PaddockError for an archive that is damaged.
 */
export function openImageArchive(path: string, name: string): ArchivedFiles {
  const file = new Fd(check(`"${name}"`, "open", calls.openat(AT.FDCWD, toCText(path), O.RDONLY | O.CLOEXEC)));
  try {
    const readAt = (into: Uint8Array<ArrayBuffer>, offset: number): number =>
      check(`"${name}"`, "read", calls.pread(file.number, into, offset));
    return new TarFiles(name, file, new TarIndex(readAt, statFd(file.number, name).size));
  } catch (error) {
    file.close();
    throw error;
  }
}

class TarFiles extends PlacedFiles implements ArchivedFiles {
  constructor(name: string, private readonly file: Fd, private readonly index: TarIndex) {
    super(name);
  }

  [Symbol.dispose](): void {
    this.file.close();
  }

  paths(): readonly string[] {
    return this.index.paths();
  }

  protected place(path: string): Place | undefined {
    const found = this.index.find(encodeText(path));
    return found === undefined ? undefined : { fd: this.file.number, ...found, close: () => {} };
  }
}

function readExactly(fd: number, offset: number, size: number, what: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  for (let filled = 0; filled < size;) {
    const got = check(what, "read", calls.pread(fd, bytes.subarray(filled), offset + filled));
    if (got === 0) throw new PaddockError(`${what} ends too early`);
    filled += got;
  }
  return bytes;
}
