/**
 * The bytes of an archive: a file, a pipe or standard input, unpacked on the way where it is gzip or zstd.
 *
 * node:zlib unpacked gzip at 300 MB/s and zstd at 500 MB/s where gzip(1) made 180 MB/s and DecompressionStream 210; it
 * checks CRCs, and reads files of several gzip members.
 *
 * @module
 */
import type { Duplex } from "node:stream";
import { PaddockError } from "../base/errors.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { AT, E, type FileStat, O, S, statFd, toCText } from "../kernel/fs.ts";
import { KernelError } from "../kernel/syscall.ts";
import { MAGIC_BYTES, type ReadableFormat, requireReadable, tellFormat } from "./magic.ts";

/** Bytes of one read of a plain archive. */
const CHUNK = 1 << 20;
/** Smaller pieces for the decoder, which makes a new buffer of each: with larger ones memory grows twice as far. */
const PACKED_CHUNK = 1 << 16;
const UNPACKED_CHUNK = 1 << 17;

type Bytes = Uint8Array<ArrayBuffer>;

/** An open archive. */
export interface ArchiveSource extends Disposable {
  /** As the user named it; "standard input" for `-`. */
  readonly name: string;
  readonly stat: FileStat;
  /** Can it be read a second time, and known again by its inode? */
  readonly isRegular: boolean;
  /** Size in bytes as it lies there; `undefined` for a pipe. */
  readonly size: number | undefined;
  /** Bytes read so far, packed. */
  readonly bytesRead: number;
  /** "tar" where nothing is packed; told when the first chunk is read. */
  readonly format: ReadableFormat | undefined;
  /** A path that opens the same file again, for as long as this one is open. */
  readonly reopenPath: string;
  /** Was the file written to since it was opened? */
  hasChanged(): boolean;
  /**
   * The unpacked bytes. A chunk is valid until the next one is asked for.
   *
   * @throws PaddockError for what is no archive, and for damaged packing.
   */
  chunks(): AsyncGenerator<Bytes, void, void>;
}

/**
 * Opens an archive; `-` is standard input.
 *
 * @throws PaddockError for a path that is missing, not readable, a directory, a device or a socket.
 */
export function openArchive(path: string): ArchiveSource {
  if (path === "-") return new FileSource("standard input", new Fd(0), true);
  const fd = calls.openat(AT.FDCWD, toCText(path), O.RDONLY | O.CLOEXEC | O.NOCTTY);
  if (fd === -E.NOENT) {
    throw new PaddockError(`"${path}": no such file or directory`, {
      hint: "name a directory, an archive as docker export writes it, or host",
    });
  }
  if (fd < 0) throw new KernelError("open", `"${path}"`, -fd);
  return new FileSource(path, new Fd(fd), false);
}

class FileSource implements ArchiveSource {
  readonly name: string;
  readonly stat: FileStat;
  readonly isRegular: boolean;
  readonly size: number | undefined;
  readonly reopenPath: string;
  bytesRead = 0;
  format: ReadableFormat | undefined;
  readonly #fd: Fd;

  constructor(name: string, fd: Fd, isBorrowed: boolean) {
    this.name = name;
    this.#fd = fd;
    this.reopenPath = `/proc/self/fd/${fd.number}`;
    this.stat = statFd(fd.number, name);
    const type = this.stat.mode & S.IFMT;
    // Standard input stays open: it is the process's.
    if (isBorrowed) this[Symbol.dispose] = () => {};
    if (type !== S.IFREG && type !== S.IFIFO && !isBorrowed) {
      this.#fd.close();
      const kind = type === S.IFDIR ? "a directory" : type === S.IFSOCK ? "a socket" : "a device";
      throw new PaddockError(`"${name}" is ${kind}, not an archive`);
    }
    if (type === S.IFDIR) throw new PaddockError("standard input is a directory, not an archive");
    this.isRegular = type === S.IFREG && !isBorrowed;
    this.size = type === S.IFREG ? this.stat.size : undefined;
  }

  [Symbol.dispose](): void {
    this.#fd.close();
  }

  hasChanged(): boolean {
    if (!this.isRegular) return false;
    const now = statFd(this.#fd.number, this.name);
    // The change time as well: the file's owner can set back the other.
    const keys = ["size", "mtimeSec", "mtimeNsec", "ctimeSec", "ctimeNsec"] as const;
    return keys.some((key) => now[key] !== this.stat[key]);
  }

  async *chunks(): AsyncGenerator<Bytes, void, void> {
    const first = this.#readFirst();
    this.format = requireReadable(tellFormat(first), this.name);
    if (this.format === "tar") {
      yield first;
      for (const chunk of this.#rest(new Uint8Array(CHUNK))) yield chunk;
      return;
    }
    yield* this.#unpack(first, this.format);
  }

  /** Enough of the beginning to tell what it is. */
  #readFirst(): Bytes {
    const buffer = new Uint8Array(CHUNK);
    let length = 0;
    while (length < MAGIC_BYTES) {
      const got = this.#read(buffer.subarray(length));
      if (got === 0) break;
      length += got;
    }
    return buffer.subarray(0, length);
  }

  *#rest(buffer: Bytes): Generator<Bytes, void, void> {
    for (let got = this.#read(buffer); got > 0; got = this.#read(buffer)) yield buffer.subarray(0, got);
  }

  #read(into: Bytes): number {
    const got = calls.read(this.#fd.number, into);
    if (got < 0) throw new KernelError("read", `"${this.name}"`, -got);
    this.bytesRead += got;
    return got;
  }

  async *#unpack(first: Bytes, format: "gzip" | "zstd"): AsyncGenerator<Bytes, void, void> {
    // Loaded only now: a plain archive, or a layer that is there already, needs neither.
    const [{ Readable }, { default: zlib }] = await Promise.all([import("node:stream"), import("node:zlib")]);
    // The decoder keeps what it is given: a buffer of its own for every piece.
    const read = (): Bytes => {
      const buffer = new Uint8Array(PACKED_CHUNK);
      return buffer.subarray(0, this.#read(buffer));
    };
    function* packed(): Generator<Bytes, void, void> {
      yield first;
      for (let piece = read(); piece.length > 0; piece = read()) yield piece;
    }
    const decoder: Duplex = format === "gzip"
      ? zlib.createGunzip({ chunkSize: UNPACKED_CHUNK })
      : zlib.createZstdDecompress({ chunkSize: UNPACKED_CHUNK });
    const input = Readable.from(packed(), { objectMode: false, highWaterMark: PACKED_CHUNK });
    input.on("error", (error) => decoder.destroy(error));
    // Deno 2.9 throws some zstd errors into the event loop, where no stream hears of them: caught here and handed on.
    const onStray = (event: ErrorEvent): void => {
      if (!(event.error instanceof Error) || !event.error.message.startsWith("Zstd decompress error")) return;
      event.preventDefault();
      decoder.destroy(event.error);
    };
    globalThis.addEventListener("error", onStray);
    input.pipe(decoder);
    let isFirst = true;
    try {
      for await (const piece of decoder as AsyncIterable<Bytes>) {
        if (isFirst && tellFormat(piece) !== "tar") {
          throw new PaddockError(`"${this.name}" is a ${format} file of something that is not a tar archive`);
        }
        isFirst = false;
        yield piece;
      }
    } catch (error) {
      throw error instanceof PaddockError ? error : explainUnpacking(error, this.name, format);
    } finally {
      globalThis.removeEventListener("error", onStray);
      input.destroy();
      decoder.destroy();
    }
    if (isFirst) {
      // A zstd decoder does not say when its input ends inside a block.
      const orCut = format === "zstd" ? ", or one that ends too early" : "";
      throw new PaddockError(`"${this.name}" is a ${format} file of nothing${orCut}`);
    }
  }
}

function explainUnpacking(error: unknown, name: string, format: string): PaddockError {
  const text = error instanceof Error ? error.message : String(error);
  const why = /unexpected end/i.test(text)
    ? "it ends too early"
    : text.toLowerCase().replace(/^zstd decompress error: /, "");
  return new PaddockError(`"${name}": damaged ${format} data: ${why}`, {
    hint: "copy or make the file again",
    cause: error,
  });
}
