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
import {
  type ByteString,
  decodeText,
  encodeText,
  fromByteString,
  quoteName,
  toByteString,
} from "../base/byte_string.ts";
import {
  BLOCK,
  decodeBase64,
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

/** What an entry is. */
export type EntryType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

/** One file of an archive. */
export interface TarEntry {
  /** As it stands in the archive, not checked: may be absolute, or hold `..`. */
  readonly path: ByteString;
  /** Target of a symlink or hard link. */
  readonly linkPath: ByteString;
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file, holes counted; 0 for anything but a file. */
  readonly size: number;
  /** Seconds since the epoch and nanoseconds (0 to 999999999). */
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: readonly { readonly name: ByteString; readonly value: Uint8Array<ArrayBuffer> }[];
  /** The file has holes: only its segments are delivered. */
  readonly sparse: boolean;
}

/** Receives what the archive holds, in its order. */
export interface TarSink {
  /** An entry begins. */
  entry(entry: TarEntry): void;
  /** Data of the entry, valid during the call; `offset` in bytes from the file's beginning, ascending. */
  data(bytes: Uint8Array<ArrayBuffer>, offset: number): void;
  /** The entry is complete. */
  end(): void;
}

/** Bounds on what a header may ask for; an archive is not trusted. */
export interface TarBounds {
  /** Bytes of one pax header. */
  readonly paxBytes: number;
  /** Bytes of a GNU long name. */
  readonly nameBytes: number;
  /** Segments of one sparse file. */
  readonly segments: number;
  /** Header blocks of all kinds in the whole archive. */
  readonly headers: number;
}

/** Generous for real archives. */
export const DEFAULT_BOUNDS: TarBounds = {
  paxBytes: 1 << 20,
  nameBytes: 1 << 16,
  segments: 1 << 20,
  headers: 40_000_000,
};

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
      yield* this.#skip(padded(size) - size);
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

interface SparseMap {
  readonly segments: Segment[];
  readonly size: number;
}

const MAX_ID = 0xfffffffe;

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function toEntryType(flag: string, path: ByteString): EntryType {
  switch (flag) {
    case "1":
      return "hardlink";
    case "2":
      return "symlink";
    case "3":
      return "character";
    case "4":
      return "block";
    case "5":
    case "D": // GNU's dump of a directory: its data is a list of names
      return "directory";
    case "6":
      return "fifo";
    default:
      // POSIX: an unknown type is a regular file. A name that ends in "/" is how tar of the seventies wrote a directory.
      return path.endsWith("/") ? "directory" : "file";
  }
}

function toId(pax: ByteString | undefined, header: number, name: ByteString): number {
  const id = pax === undefined ? header : parseDecimal(pax, "owner");
  if (id < 0 || id > MAX_ID) throw tarError(`${quoteName(name)} has an owner out of range: ${id}`);
  return id;
}

function toSegments(numbers: readonly number[]): Segment[] {
  if (numbers.length % 2 !== 0) throw tarError("a sparse map has an odd number of values");
  const segments: Segment[] = [];
  for (let i = 0; i < numbers.length; i += 2) segments.push({ offset: numbers[i]!, length: numbers[i + 1]! });
  return segments;
}

/** Segments ascend without overlap, lie inside the file, and together are the data that is stored. */
function checkSegments(map: SparseMap, stored: number, name: ByteString): void {
  let end = 0;
  let total = 0;
  for (const { offset, length } of map.segments) {
    if (offset < end || length < 0) throw tarError(`${quoteName(name)} has a sparse map out of order`);
    end = offset + length;
    total += length;
  }
  if (end > map.size || map.size < 0) throw tarError(`${quoteName(name)} has a sparse map beyond its size`);
  if (total !== stored) throw tarError(`${quoteName(name)} has a sparse map that does not fit its data`);
}

/** SCHILY.xattr.NAME (binary value, from GNU tar, docker, star) and LIBARCHIVE.xattr.NAME (name %-coded, value base64). */
function collectXattrs(
  global: ReadonlyMap<ByteString, ByteString>,
  pax: PaxRecords | undefined,
): { name: ByteString; value: Bytes }[] {
  const found = new Map<ByteString, Bytes>();
  for (const [key, value] of [...global, ...(pax?.values ?? [])]) {
    if (key.startsWith("LIBARCHIVE.xattr.")) {
      const bytes = decodeBase64(value);
      if (bytes !== undefined) found.set(decodePercent(key.slice(17)), bytes);
    } else if (key.startsWith("RHT.security.selinux")) {
      found.set("security.selinux", fromByteString(value));
    }
  }
  for (const [key, value] of [...global, ...(pax?.values ?? [])]) {
    // GNU tar writes "=" and "%" of a name as %3D and %25, as a key ends at the first "=".
    if (key.startsWith("SCHILY.xattr.")) {
      found.set(key.slice(13).replaceAll("%3D", "=").replaceAll("%25", "%"), fromByteString(value));
    }
  }
  return [...found].map(([name, value]) => ({ name, value }));
}

function decodePercent(name: ByteString): ByteString {
  try {
    return encodeText(decodeURIComponent(decodeText(name)));
  } catch {
    return toByteString(fromByteString(name));
  }
}
