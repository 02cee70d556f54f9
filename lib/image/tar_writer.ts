/**
 * A writer of pax archives (POSIX.1-2017 `pax`): what ustar cannot hold goes into extended headers, byte for byte.
 *
 * Our own because `@std/tar` writes plain ustar: no extended attributes, no times below a second, no long names. Pure: the
 * caller takes the bytes. The same entries give the same bytes.
 *
 * @module
 */
import { type ByteString, fromByteString, quoteName, toByteString } from "../base/byte_string.ts";
import { BLOCK, type Segment } from "./tar_header.ts";
import type { EntryType, TarEntry } from "./tar_entry.ts";

/** An entry to write; `segments` are the parts of a sparse file that have data. */
export interface NewEntry extends Omit<TarEntry, "sparse"> {
  readonly segments?: readonly Segment[];
}

const TYPE_FLAG: Readonly<Record<EntryType, string>> = {
  file: "0",
  hardlink: "1",
  symlink: "2",
  character: "3",
  block: "4",
  directory: "5",
  fifo: "6",
};

const MAX_OCTAL_7 = 0o7777777;
const MAX_OCTAL_11 = 0o77777777777;
const ZEROS = new Uint8Array(BLOCK);

/** Writes entries one after the other: `entry`, then exactly its data by `data`, and `finish` at the end. */
export class TarWriter {
  #left = 0;
  #padding = 0;

  /** @param write takes the bytes, which are valid during the call. */
  constructor(private readonly write: (bytes: Uint8Array<ArrayBuffer>) => void) {}

  /** Bytes of data that the entry still wants. */
  get left(): number {
    return this.#left;
  }

  /** Begins an entry. A sparse file's data is that of its segments, without the holes. */
  entry(entry: NewEntry): void {
    this.#requireComplete();
    const map = entry.segments === undefined ? undefined : encodeMap(entry.segments);
    const dataSize = entry.type !== "file"
      ? 0
      : entry.segments?.reduce((sum, { length }) => sum + length, 0) ?? entry.size;
    const size = dataSize + (map?.length ?? 0);
    const records = listRecords(entry, size, map !== undefined);
    if (records.length > 0) this.#writePax(entry.path, records);
    const name = map === undefined ? entry.path : `GNUSparseFile.0/${entry.path}`;
    this.write(encodeHeader(entry, name, TYPE_FLAG[entry.type], size));
    if (map !== undefined) this.write(map);
    this.#left = dataSize;
    this.#padding = pad(size);
    this.#finishEntry();
  }

  /** The next data of the entry. @throws RangeError for more than the entry's size. */
  data(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length > this.#left) throw new RangeError("tar: more data than the entry's size");
    this.#left -= bytes.length;
    this.write(bytes);
    this.#finishEntry();
  }

  /** Ends the archive. */
  finish(): void {
    this.#requireComplete();
    this.write(ZEROS);
    this.write(ZEROS);
  }

  #finishEntry(): void {
    if (this.#left > 0 || this.#padding === 0) return;
    this.write(ZEROS.subarray(0, this.#padding));
    this.#padding = 0;
  }

  #requireComplete(): void {
    if (this.#left > 0) throw new RangeError(`tar: ${this.#left} bytes of data are missing`);
  }

  #writePax(path: ByteString, records: readonly (readonly [ByteString, ByteString])[]): void {
    const body = fromByteString(records.map(([key, value]) => encodeRecord(key, value)).join(""));
    const name = `PaxHeaders.0/${path.slice(0, 80)}`;
    this.write(encodeHeader(PAX_HEADER, name, "x", body.length));
    this.write(body);
    this.write(ZEROS.subarray(0, pad(body.length)));
  }
}

const PAX_HEADER = { mode: 0o644, uid: 0, gid: 0, mtimeSec: 0, linkPath: "", devMajor: 0, devMinor: 0 };

/** The records of what the header itself cannot hold. */
function listRecords(entry: NewEntry, size: number, sparse: boolean): (readonly [ByteString, ByteString])[] {
  const records: (readonly [ByteString, ByteString])[] = [];
  const add = (when: boolean, key: string, value: ByteString | number): void => {
    if (when) records.push([key, String(value)]);
  };
  add(!sparse && entry.path.length > 100, "path", entry.path);
  add(entry.linkPath.length > 100, "linkpath", entry.linkPath);
  add(entry.uid > MAX_OCTAL_7, "uid", entry.uid);
  add(entry.gid > MAX_OCTAL_7, "gid", entry.gid);
  add(size > MAX_OCTAL_11, "size", size);
  const isOddTime = entry.mtimeNsec !== 0 || entry.mtimeSec < 0 || entry.mtimeSec > MAX_OCTAL_11;
  add(isOddTime, "mtime", encodeTime(entry.mtimeSec, entry.mtimeNsec));
  add(sparse, "GNU.sparse.major", 1);
  add(sparse, "GNU.sparse.minor", 0);
  add(sparse, "GNU.sparse.name", entry.path);
  add(sparse, "GNU.sparse.realsize", entry.size);
  for (const { name, value } of entry.xattrs) {
    // A key ends at the first "=": GNU tar's way to write one that has it.
    const key = name.replaceAll("%", "%25").replaceAll("=", "%3D");
    records.push([`SCHILY.xattr.${key}`, toByteString(value)]);
  }
  return records;
}

/** `LENGTH KEY=VALUE\n`, where LENGTH counts itself. */
function encodeRecord(key: ByteString, value: ByteString): ByteString {
  const rest = key.length + value.length + 3;
  let length = rest + String(rest).length;
  if (String(length).length !== String(rest).length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

function encodeTime(sec: number, nsec: number): string {
  if (sec >= 0 || nsec === 0) return nsec === 0 ? String(sec) : `${sec}.${String(nsec).padStart(9, "0")}`;
  const whole = -(sec + 1);
  return `-${whole}.${String(1e9 - nsec).padStart(9, "0")}`;
}

type HeaderFields = Pick<NewEntry, "mode" | "uid" | "gid" | "mtimeSec" | "linkPath" | "devMajor" | "devMinor">;

function encodeHeader(fields: HeaderFields, name: ByteString, type: string, size: number): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const put = (text: ByteString, at: number, length: number): void => {
    for (let i = 0; i < Math.min(text.length, length); i++) block[at + i] = text.charCodeAt(i);
  };
  const putOctal = (value: number, at: number, length: number): void => {
    // What does not fit stands in a pax record.
    const fits = value >= 0 && value <= 8 ** (length - 1) - 1;
    put((fits ? value : 0).toString(8).padStart(length - 1, "0"), at, length - 1);
  };
  put(name, 0, 100);
  putOctal(fields.mode, 100, 8);
  putOctal(fields.uid, 108, 8);
  putOctal(fields.gid, 116, 8);
  putOctal(size, 124, 12);
  putOctal(fields.mtimeSec, 136, 12);
  put(type, 156, 1);
  put(fields.linkPath, 157, 100);
  put("ustar\x0000", 257, 8);
  if (type === "3" || type === "4") {
    if (fields.devMajor > MAX_OCTAL_7 || fields.devMinor > MAX_OCTAL_7) {
      throw new RangeError(`tar: ${quoteName(name)} has a device number that no archive holds`);
    }
    putOctal(fields.devMajor, 329, 8);
    putOctal(fields.devMinor, 337, 8);
  }
  put("        ", 148, 8);
  let sum = 0;
  for (const byte of block) sum += byte;
  put(`${sum.toString(8).padStart(6, "0")}\0 `, 148, 8);
  return block;
}

/** Sparse format 1.0: a count, offset and length of each segment, a decimal a line, padded to whole blocks. */
function encodeMap(segments: readonly Segment[]): Uint8Array<ArrayBuffer> {
  const lines = [segments.length, ...segments.flatMap(({ offset, length }) => [offset, length])];
  const text = lines.map((value) => `${value}\n`).join("");
  const map = new Uint8Array(text.length + pad(text.length));
  for (let i = 0; i < text.length; i++) map[i] = text.charCodeAt(i);
  return map;
}

function pad(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}
