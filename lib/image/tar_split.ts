/**
 * What an archive has beside the contents of its files: with it and the unpacked files the archive can be written again,
 * byte for byte. Docker keeps the same for its layers, by the same name (github.com/vbatts/tar-split).
 *
 * ```
 * layers/sha256/HEX/tar-split     frames: packed length, length (32 bits each), records packed by deflate
 * layers/sha256/HEX/displaced/N   a file of which the archive has another version further on
 * ```
 *
 * A record is a byte that says what it is, and:
 *
 * ```
 * 0 bytes of the archive itself   length (32), bytes
 * 1 content of a file             length of the path (16), path, offset and length (64-bit floats)
 * 2 a file was displaced          length of the path (16), path, N (32)
 * ```
 *
 * @module
 */
import { type ByteString, fromByteString, toByteString } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";

/** One piece of an archive, or what became of a file. */
export type SplitRecord =
  | { readonly kind: "bytes"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly kind: "content"; readonly path: ByteString; readonly offset: number; readonly length: number }
  | { readonly kind: "displaced"; readonly path: ByteString; readonly index: number };

/** The file's name in the directory of a layer. */
export const TAR_SPLIT_FILE = "tar-split";
/** The directory's name for displaced files. */
export const DISPLACED_DIRECTORY = "displaced";

const KIND = { bytes: 0, content: 1, displaced: 2 } as const;
/** Bytes of records in one frame, before they are packed. */
const FRAME = 1 << 20;
/** Bytes beside the contents, after which an archive is not worth it. */
const MOST_BYTES = 1 << 30;

type Bytes = Uint8Array<ArrayBuffer>;

/** Packs a frame: `deflateRawSync` of node:zlib, which the caller has loaded. */
export type Pack = (bytes: Bytes) => Uint8Array;

/** Takes an archive apart while it is read. */
export class TarSplitWriter {
  readonly #buffer = new Uint8Array(FRAME);
  readonly #view = new DataView(this.#buffer.buffer);
  #filled = 0;
  #chunk: Bytes = new Uint8Array(0);
  #at = 0;
  /** Where the length of a record of bytes stands that is still growing; -1 where there is none. */
  #growing = -1;
  #content: { path: ByteString; offset: number; length: number } | undefined;
  #total = 0;
  #abandoned = false;

  /** @param write takes packed frames, valid during the call. */
  constructor(private readonly pack: Pack, private readonly write: (bytes: Uint8Array) => void) {}

  /** False where the archive could not be written again. */
  get isUsable(): boolean {
    return !this.#abandoned;
  }

  /** The next chunk begins. What of it no call of `content` names is of the archive itself. */
  begin(chunk: Bytes): void {
    this.#chunk = chunk;
    this.#at = 0;
  }

  /** A part of the chunk is content of a file. @param offset in the file, bytes */
  content(path: ByteString, part: Bytes, offset: number): void {
    if (this.#abandoned) return;
    const start = part.byteOffset - this.#chunk.byteOffset;
    this.#bytes(this.#chunk.subarray(this.#at, start));
    this.#at = start + part.length;
    const last = this.#content;
    if (last !== undefined && last.path === path && last.offset + last.length === offset) last.length += part.length;
    else {
      this.#endContent();
      this.#content = { path, offset, length: part.length };
    }
  }

  /** The chunk ends. */
  end(): void {
    if (!this.#abandoned) this.#bytes(this.#chunk.subarray(this.#at));
  }

  /** A file, or a directory with all in it, was moved to `displaced/INDEX`, as its path is given to something else. */
  displaced(path: ByteString, index: number): void {
    if (this.#abandoned) return;
    this.#endContent();
    this.#named(KIND.displaced, path, 4);
    this.#view.setUint32(this.#filled, index, true);
    this.#filled += 4;
  }

  /** The files will not tell what their content was: nothing that was written is of use. */
  abandon(): void {
    this.#abandoned = true;
  }

  /** There is no more. */
  finish(): void {
    if (this.#abandoned) return;
    this.#endContent();
    this.#flush();
  }

  #bytes(bytes: Bytes): void {
    if (bytes.length === 0) return;
    this.#endContent();
    this.#total += bytes.length;
    if (this.#total > MOST_BYTES) return this.abandon();
    for (let at = 0; at < bytes.length;) {
      if (FRAME - this.#filled < 6) this.#flush();
      if (this.#growing < 0) {
        this.#buffer[this.#filled] = KIND.bytes;
        this.#growing = this.#filled + 1;
        this.#filled += 5;
        this.#view.setUint32(this.#growing, 0, true);
      }
      const part = bytes.subarray(at, at + FRAME - this.#filled);
      this.#buffer.set(part, this.#filled);
      this.#filled += part.length;
      this.#view.setUint32(this.#growing, this.#view.getUint32(this.#growing, true) + part.length, true);
      at += part.length;
      if (at < bytes.length) this.#flush();
    }
  }

  #endContent(): void {
    if (this.#content === undefined) return;
    const { path, offset, length } = this.#content;
    this.#content = undefined;
    this.#named(KIND.content, path, 16);
    this.#view.setFloat64(this.#filled, offset, true);
    this.#view.setFloat64(this.#filled + 8, length, true);
    this.#filled += 16;
  }

  /** Begins a record with a path, with room for `more` bytes behind it. */
  #named(kind: number, path: ByteString, more: number): void {
    this.#growing = -1;
    if (FRAME - this.#filled < 3 + path.length + more) this.#flush();
    this.#buffer[this.#filled] = kind;
    this.#view.setUint16(this.#filled + 1, path.length, true);
    this.#buffer.set(fromByteString(path), this.#filled + 3);
    this.#filled += 3 + path.length;
  }

  #flush(): void {
    this.#growing = -1;
    if (this.#filled === 0) return;
    const packed = this.pack(this.#buffer.subarray(0, this.#filled));
    const head = new DataView(new ArrayBuffer(8));
    head.setUint32(0, packed.length, true);
    head.setUint32(4, this.#filled, true);
    this.write(new Uint8Array(head.buffer));
    this.write(packed);
    this.#filled = 0;
  }
}

/**
 * The records of a frame.
 *
 * @param frame unpacked; the records' bytes are views of it.
 * @throws PaddockError for a frame that makes no sense.
 */
export function* readSplitRecords(frame: Bytes): Generator<SplitRecord, void, void> {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  let at = 0;
  const path = (): ByteString => {
    const length = view.getUint16(at, true);
    at += 2 + length;
    if (at > frame.length) throw new RangeError("a path");
    return toByteString(frame.subarray(at - length, at));
  };
  try {
    while (at < frame.length) {
      const kind = frame[at++];
      if (kind === KIND.bytes) {
        const length = view.getUint32(at, true);
        at += 4 + length;
        if (at > frame.length) throw new RangeError("bytes");
        yield { kind: "bytes", bytes: frame.subarray(at - length, at) };
      } else if (kind === KIND.content) {
        const name = path();
        at += 16;
        const [offset, length] = [view.getFloat64(at - 16, true), view.getFloat64(at - 8, true)];
        yield { kind: "content", path: name, offset, length };
      } else if (kind === KIND.displaced) {
        const name = path();
        at += 4;
        yield { kind: "displaced", path: name, index: view.getUint32(at - 4, true) };
      } else throw new RangeError("a record");
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new PaddockError("what is kept of a layer's archive is damaged", { cause: error });
  }
}
