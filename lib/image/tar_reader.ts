/**
 * A streaming reader of tar archives: chunks in, entries and data out, with no copy of the data.
 *
 * Our own, because real root filesystems need what the ready-made readers lose: `@std/tar` knows neither pax nor GNU long
 * names; `npm:tar-stream` decodes pax values as UTF-8, which mangles binary extended attributes such as
 * `security.capability`, cuts times to seconds, and has no sparse files. This one reads ustar, pax (local and global),
 * GNU long names, GNU and pax sparse files of all versions, base-256 numbers; names are bytes.
 *
 * Pure: the caller reads the file, hands over chunks of any size, and may reuse its buffer after each `push`.
 *
 * @module
 */
import { type ByteString, quoteName } from "../base/byte_string.ts";
import { DEFAULT_BOUNDS, type TarBounds, type TarSink } from "./tar_entry.ts";
import { checkSegments, collectXattrs, padded, type SparseMap, toEntryType, toId, toSegments } from "./tar_fields.ts";
import {
  BLOCK,
  isZeroBlock,
  parseDecimal,
  parseGnuSegments,
  parseHeader,
  parseNumber,
  parsePax,
  parsePaxTime,
  type PaxRecords,
  type RawHeader,
  readString,
  type Segment,
  tarError,
} from "./tar_header.ts";

type Steps<T = void> = Generator<void, T, void>;
type Bytes = Uint8Array<ArrayBuffer>;

/** What precedes a header and changes it: pax records, GNU long names. */
interface Pending {
  pax: PaxRecords | undefined;
  path: ByteString | undefined;
  linkPath: ByteString | undefined;
}

/** The reader: `push` chunks, then `end`. Errors are PaddockError and final. */
export class TarReader {
  readonly #sink: TarSink;
  readonly #bounds: TarBounds;
  readonly #steps: Steps;
  #chunk: Bytes = new Uint8Array(0);
  #at = 0;
  #ended = false;
  #done = false;
  #hasEndMark = false;
  #headers = 0;
  #name: ByteString | undefined;
  readonly #global = new Map<ByteString, ByteString>();

  constructor(sink: TarSink, bounds: TarBounds = DEFAULT_BOUNDS) {
    this.#sink = sink;
    this.#bounds = bounds;
    this.#steps = this.#read();
    this.#steps.next();
  }

  /** Is the end of the archive reached? What comes after it is ignored, as tar does. */
  get done(): boolean {
    return this.#done;
  }

  /** Was the block of zeros seen that ends an archive? */
  get hasEndMark(): boolean {
    return this.#hasEndMark;
  }

  /** Takes the next chunk. @throws PaddockError when the archive is damaged; whatever the sink throws. */
  push(chunk: Bytes): void {
    if (this.#done) return;
    this.#chunk = chunk;
    this.#at = 0;
    if (this.#steps.next().done === true) this.#done = true;
  }

  /**
   * There is no more. An archive without its end mark is accepted when it stops between two entries (GNU tar warns).
   *
   * @throws PaddockError when it stops inside an entry.
   */
  end(): void {
    this.#ended = true;
    this.push(new Uint8Array(0));
  }

  *#read(): Steps {
    let pending: Pending = { pax: undefined, path: undefined, linkPath: undefined };
    for (;;) {
      const isFirst = pending.pax === undefined && pending.path === undefined && pending.linkPath === undefined;
      if (isFirst && (yield* this.#atEnd())) return;
      const block = yield* this.#take(BLOCK);
      if (isZeroBlock(block)) {
        this.#hasEndMark = true;
        return;
      }
      if (++this.#headers > this.#bounds.headers) throw tarError(`more than ${this.#bounds.headers} headers`);
      const header = parseHeader(block);
      if (yield* this.#readExtension(header, pending)) continue;
      // Sparse fields of an old GNU header lie in the block itself, which is gone after the next chunk.
      const sparseBlock = header.type === "S" ? block.slice() : undefined;
      yield* this.#readEntry(header, pending, sparseBlock);
      pending = { pax: undefined, path: undefined, linkPath: undefined };
      this.#name = undefined;
    }
  }

  /** Reads a header that only says something about the next one; false when it is an entry itself. */
  *#readExtension(header: RawHeader, pending: Pending): Steps<boolean> {
    const { type, size } = header;
    if (type === "x" || type === "X" || type === "g") {
      const records = parsePax(yield* this.#takeMeta(size, this.#bounds.paxBytes, "extended header"));
      if (type === "g") { for (const [key, value] of records.values) this.#global.set(key, value); }
      else pending.pax = records;
      return true;
    }
    if (type === "L" || type === "K") {
      const name = yield* this.#takeMeta(size, this.#bounds.nameBytes, "long name");
      if (type === "L") pending.path = readString(name, 0, name.length);
      else pending.linkPath = readString(name, 0, name.length);
      return true;
    }
    if (type === "V") {
      yield* this.#skip(padded(size));
      return true;
    }
    if (type === "M") throw tarError(`${quoteName(header.path)} continues from another volume`);
    return false;
  }

  *#readEntry(header: RawHeader, pending: Pending, sparseBlock: Bytes | undefined): Steps {
    const lookUp = (key: string): ByteString | undefined => {
      const value = pending.pax?.values.get(key) ?? this.#global.get(key);
      return value === "" ? undefined : value;
    };
    const path = lookUp("path") ?? pending.path ?? header.path;
    const type = toEntryType(header.type, path);
    this.#name = lookUp("GNU.sparse.name") ?? path;
    const stored = lookUp("size");
    // A hard link has no data, whatever its size says (as GNU tar reads it).
    const size = type === "hardlink" ? 0 : stored === undefined ? header.size : parseDecimal(stored, "size");
    if (size < 0) throw tarError(`${quoteName(this.#name)} has no valid size`);
    const body = { left: size };
    const sparse = type !== "file"
      ? undefined
      : sparseBlock !== undefined
      ? yield* this.#readGnuMap(sparseBlock)
      : yield* this.#readPaxMap(pending.pax, lookUp, body);
    if (sparse !== undefined) checkSegments(sparse, body.left, this.#name);
    const mtime = lookUp("mtime");
    const time = mtime === undefined ? { sec: header.mtime, nsec: 0 } : parsePaxTime(mtime);
    this.#sink.entry({
      path: this.#name,
      linkPath: lookUp("linkpath") ?? pending.linkPath ?? header.linkPath,
      type,
      mode: header.mode,
      uid: toId(lookUp("uid"), header.uid, this.#name),
      gid: toId(lookUp("gid"), header.gid, this.#name),
      size: type !== "file" ? 0 : sparse?.size ?? size,
      mtimeSec: time.sec,
      mtimeNsec: time.nsec,
      devMajor: header.devMajor,
      devMinor: header.devMinor,
      xattrs: pending.pax === undefined && this.#global.size === 0 ? [] : collectXattrs(this.#global, pending.pax),
      sparse: sparse !== undefined,
    });
    if (type === "file") {
      for (const { offset, length } of sparse?.segments ?? [{ offset: 0, length: body.left }]) {
        yield* this.#pass(offset, length);
      }
      yield* this.#skipPadding(padded(size) - size);
    } else {
      yield* this.#skip(padded(size));
    }
    this.#sink.end();
  }

  /** The map of an old GNU sparse file: four pairs in the header, more in extension blocks of 21. */
  *#readGnuMap(block: Bytes): Steps<SparseMap> {
    const name = this.#name ?? "";
    const segments = parseGnuSegments(block, 386, 4, name);
    const size = parseNumber(block, 483, 12, "size", name);
    for (let more = block[482]; more !== 0;) {
      const extension = yield* this.#take(BLOCK);
      for (const segment of parseGnuSegments(extension, 0, 21, name)) segments.push(segment);
      this.#checkCount(segments.length);
      more = extension[504];
    }
    return { segments, size };
  }

  /** The map of a pax sparse file: 0.0 and 0.1 in records, 1.0 as text before the data. */
  *#readPaxMap(
    pax: PaxRecords | undefined,
    lookUp: (key: string) => ByteString | undefined,
    body: { left: number },
  ): Steps<SparseMap | undefined> {
    if (pax === undefined) return undefined;
    if (lookUp("GNU.sparse.major") !== undefined) {
      if (lookUp("GNU.sparse.major") !== "1") {
        throw tarError(`${quoteName(this.#name ?? "")} is sparse in an unknown way`);
      }
      const size = parseDecimal(lookUp("GNU.sparse.realsize") ?? "", "size of a sparse file");
      return { segments: yield* this.#readTextMap(body), size };
    }
    const size = lookUp("GNU.sparse.size");
    if (size === undefined) return undefined;
    const map = lookUp("GNU.sparse.map")?.split(",") ?? pax.sparsePairs;
    return {
      segments: toSegments(map.map((value) => parseDecimal(value, "sparse map"))),
      size: parseDecimal(size, "size"),
    };
  }

  /** Sparse 1.0: a count, then offset and length of each segment, a decimal a line, padded to a block. */
  *#readTextMap(body: { left: number }): Steps<Segment[]> {
    const numbers: number[] = [];
    let wanted = 1;
    let digits = "";
    while (numbers.length < wanted) {
      if (body.left < BLOCK) throw tarError(`${quoteName(this.#name ?? "")} has no valid sparse map`);
      body.left -= BLOCK;
      for (const byte of yield* this.#take(BLOCK)) {
        if (numbers.length >= wanted) break;
        if (byte !== 10) {
          digits += String.fromCharCode(byte);
          if (digits.length > 20) throw tarError(`${quoteName(this.#name ?? "")} has no valid sparse map`);
          continue;
        }
        numbers.push(parseDecimal(digits, "sparse map"));
        digits = "";
        if (numbers.length === 1) {
          this.#checkCount(numbers[0]!);
          wanted = 1 + 2 * numbers[0]!;
        }
      }
    }
    return toSegments(numbers.slice(1));
  }

  #checkCount(segments: number): void {
    if (segments > this.#bounds.segments) {
      throw tarError(`${quoteName(this.#name ?? "")} has more than ${this.#bounds.segments} sparse segments`);
    }
  }

  /** Hands `length` bytes of data to the sink. */
  *#pass(offset: number, length: number): Steps {
    while (length > 0) {
      if (this.#at === this.#chunk.length) {
        yield* this.#more();
        continue;
      }
      const end = Math.min(this.#chunk.length, this.#at + length);
      const part = this.#chunk.subarray(this.#at, end);
      this.#at = end;
      this.#sink.data(part, offset);
      offset += part.length;
      length -= part.length;
    }
  }

  *#skip(length: number): Steps {
    while (length > 0) {
      if (this.#at === this.#chunk.length) {
        yield* this.#more();
        continue;
      }
      const step = Math.min(this.#chunk.length - this.#at, length);
      this.#at += step;
      length -= step;
    }
  }

  /** What fills the last block of a file. umoci's `insert` leaves out the archive's last, and Go's tools read that. */
  *#skipPadding(length: number): Steps {
    if (length > 0 && (yield* this.#atEnd())) return;
    yield* this.#skip(length);
  }

  *#takeMeta(size: number, bound: number, what: string): Steps<Bytes> {
    if (size < 0 || size > bound) throw tarError(`${what} of ${size} bytes; the limit is ${bound}`);
    const bytes = (yield* this.#take(size)).slice();
    yield* this.#skip(padded(size) - size);
    return bytes;
  }

  /** The next `length` bytes in one piece, valid until more is taken. */
  *#take(length: number): Steps<Bytes> {
    if (this.#chunk.length - this.#at >= length) {
      this.#at += length;
      return this.#chunk.subarray(this.#at - length, this.#at);
    }
    const whole = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      if (this.#at === this.#chunk.length) {
        yield* this.#more();
        continue;
      }
      const part = this.#chunk.subarray(this.#at, this.#at + length - filled);
      whole.set(part, filled);
      filled += part.length;
      this.#at += part.length;
    }
    return whole;
  }

  /** Does the archive stop here, between two entries? */
  *#atEnd(): Steps<boolean> {
    while (this.#at === this.#chunk.length) {
      if (this.#ended) return true;
      yield;
    }
    return false;
  }

  *#more(): Steps {
    if (this.#ended) {
      throw tarError(this.#name === undefined ? "it ends inside a header" : `it ends inside ${quoteName(this.#name)}`);
    }
    yield;
  }
}
