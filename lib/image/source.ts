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
import { AT, check, E, type FileStat, O, S, statFd, toCText } from "../kernel/fs.ts";
import { KernelError } from "../kernel/syscall.ts";
import { type ContentHash, startHash } from "./content_hash.ts";
import type { ContentDigest } from "./content_digest.ts";
import { MAGIC_BYTES, type ReadableFormat, requireReadable, tellFormat } from "./magic.ts";

/** Bytes of one read of a plain archive. */
const CHUNK = 1 << 20;
/** Smaller pieces for the decoder, which makes a new buffer of each: with larger ones memory grows twice as far. */
const PACKED_CHUNK = 1 << 16;
const UNPACKED_CHUNK = 1 << 17;
/** Enough to meet the first file of an archive. */
const BEGINNING = 1 << 16;

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
  /**
   * The beginning of the unpacked bytes, 64 KiB where there are as many; `chunks` gives them again.
   *
   * @throws PaddockError as `chunks`.
   */
  begin(): Promise<Bytes>;
  /**
   * The unpacked bytes, once. A chunk is valid until the next one is asked for.
   *
   * @throws PaddockError for what is no archive, and for damaged packing.
   */
  chunks(): AsyncGenerator<Bytes, void, void>;
  /**
   * To be called when all was read.
   *
   * @throws PaddockError where the file was written to meanwhile, or is not what its digest says.
   */
  verify(): void;
  /** SHA-256 of all unpacked bytes, 64 hexadecimal digits, where somebody has hashed them already; after the last chunk. */
  unpackedDigest?(): string;
}

/** Content of an image: a part of a file, and what it must be. */
export interface BlobPart {
  /** For errors. */
  readonly name: string;
  /** The file; stays the caller's. */
  readonly fd: number;
  /** Where it begins in the file, and how long it is, in bytes. */
  readonly offset: number;
  readonly size: number;
  /** Of the bytes as they lie there; absent where nobody says. */
  readonly digest?: ContentDigest;
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

/** Opens an unpacked archive that lies in the store, under the name of what it was made from. */
export function openSpool(path: string, name: string): ArchiveSource {
  return new FileSource(
    name,
    new Fd(check(`"${path}"`, "open", calls.openat(AT.FDCWD, toCText(path), O.RDONLY))),
    false,
  );
}

/** Opens a layer of an image. */
export async function openBlob(part: BlobPart): Promise<ArchiveSource> {
  const hash = part.digest === undefined ? undefined : await startHash(part.digest);
  return new BlobSource(part, hash);
}

abstract class PackedSource implements ArchiveSource {
  abstract readonly isRegular: boolean;
  abstract readonly size: number | undefined;
  abstract verify(): void;
  /** Reads what comes next into a buffer; 0 at the end, and a negative error number. */
  protected abstract fetch(into: Bytes): number;
  abstract [Symbol.dispose](): void;
  readonly stat: FileStat;
  readonly reopenPath: string;
  bytesRead = 0;
  format: ReadableFormat | undefined;
  #stream: AsyncGenerator<Bytes, void, void> | undefined;
  #begun: Bytes | undefined;

  constructor(readonly name: string, fd: number) {
    this.reopenPath = `/proc/self/fd/${fd}`;
    this.stat = statFd(fd, name);
  }

  async begin(): Promise<Bytes> {
    if (this.#begun !== undefined) return this.#begun;
    this.#stream ??= this.#open();
    const parts: Bytes[] = [];
    for (let length = 0; length < BEGINNING;) {
      const { value, done } = await this.#stream.next();
      if (done) break;
      parts.push(value.slice());
      length += value.length;
    }
    return this.#begun = parts.length === 1 ? parts[0]! : concatenate(parts);
  }

  async *chunks(): AsyncGenerator<Bytes, void, void> {
    const begun = this.#begun;
    this.#begun = undefined;
    if (begun !== undefined && begun.length > 0) yield begun;
    yield* this.#stream ??= this.#open();
  }

  async *#open(): AsyncGenerator<Bytes, void, void> {
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
      const got = this.read(buffer.subarray(length));
      if (got === 0) break;
      length += got;
    }
    return buffer.subarray(0, length);
  }

  *#rest(buffer: Bytes): Generator<Bytes, void, void> {
    for (let got = this.read(buffer); got > 0; got = this.read(buffer)) yield buffer.subarray(0, got);
  }

  /** As `fetch`, counting. */
  protected read(into: Bytes): number {
    const got = this.fetch(into);
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
      return buffer.subarray(0, this.read(buffer));
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

class FileSource extends PackedSource {
  readonly isRegular: boolean;
  readonly size: number | undefined;
  readonly #fd: Fd;

  constructor(name: string, fd: Fd, isBorrowed: boolean) {
    super(name, fd.number);
    this.#fd = fd;
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

  /** A file that changed while it was read is told by its times; the change time as well, for its owner can set back the other. */
  verify(): void {
    if (!this.isRegular) return;
    const now = statFd(this.#fd.number, this.name);
    const keys = ["size", "mtimeSec", "mtimeNsec", "ctimeSec", "ctimeNsec"] as const;
    if (keys.every((key) => now[key] === this.stat[key])) return;
    throw new PaddockError(`"${this.name}" changed while it was read`, { hint: "wait until it is complete" });
  }

  protected fetch(into: Bytes): number {
    return calls.read(this.#fd.number, into);
  }
}

class BlobSource extends PackedSource {
  /** It is hashed as it is read: nobody needs to read it a second time. */
  readonly isRegular = false;
  readonly size: number;
  #at = 0;

  constructor(private readonly part: BlobPart, private readonly hash: ContentHash | undefined) {
    super(part.name, part.fd);
    this.size = part.size;
  }

  [Symbol.dispose](): void {}

  verify(): void {
    // What lies behind the end of the tar, or of the packed data, belongs to the digest.
    const buffer = new Uint8Array(PACKED_CHUNK);
    while (this.read(buffer) > 0);
    const { digest, size } = this.part;
    if (this.#at !== size) {
      throw new PaddockError(`"${this.name}" ends after ${this.#at} of ${size} bytes`, {
        hint: "copy or make it again",
      });
    }
    const found = this.hash?.finish();
    if (found !== digest) {
      throw new PaddockError(`"${this.name}" is not what its digest says: it is ${found}, not ${digest}`, {
        hint: "the image is damaged or was changed: copy or make it again",
      });
    }
  }

  protected fetch(into: Bytes): number {
    const wanted = into.subarray(0, Math.min(into.length, this.part.size - this.#at));
    if (wanted.length === 0) return 0;
    const got = calls.pread(this.part.fd, wanted, this.part.offset + this.#at);
    if (got > 0) {
      this.hash?.update(wanted.subarray(0, got));
      this.#at += got;
    }
    return got;
  }
}

function concatenate(parts: readonly Bytes[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** What a decoder says, in our words. @param format `gzip` or `zstd` */
export function explainUnpacking(error: unknown, name: string, format: string): PaddockError {
  const text = error instanceof Error ? error.message : String(error);
  const why = /unexpected end/i.test(text)
    ? "it ends too early"
    : text.toLowerCase().replace(/^zstd decompress error: /, "");
  return new PaddockError(`"${name}": damaged ${format} data: ${why}`, {
    hint: "copy or make the file again",
    cause: error,
  });
}
