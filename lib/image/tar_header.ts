/**
 * The header blocks of tar: ustar, GNU and pax records (POSIX.1-2017 `pax`, section "ustar Interchange Format"; `tar.h`
 * and "Extensions to the archive format" of the GNU tar manual). Pure.
 *
 * @module
 */
import { type ByteString, fromByteString, quoteName, toByteString } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";

/** Size of a header block and the unit that all data is padded to, in bytes. */
export const BLOCK = 512;

/** A header as it stands, before pax records and GNU long names are applied. */
export interface RawHeader {
  readonly path: ByteString;
  readonly linkPath: ByteString;
  /** The type flag as a character; NUL of old archives is given as "0". */
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: number;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** A piece of a sparse file that has data: `offset` and `length` in bytes. */
export interface Segment {
  readonly offset: number;
  readonly length: number;
}

/** pax records by key; repeated keys that belong together (GNU.sparse 0.0) are kept in order in `sparsePairs`. */
export interface PaxRecords {
  readonly values: Map<ByteString, ByteString>;
  readonly sparsePairs: ByteString[];
}

/** An archive that cannot be read; `what` says what is wrong with it. */
export function tarError(what: string): PaddockError {
  return new PaddockError(`archive: ${what}`, { hint: "the file is damaged or incomplete: make or copy it again" });
}

/** Is the block all zero, as two of them end an archive? */
export function isZeroBlock(block: Uint8Array): boolean {
  for (let i = 0; i < BLOCK; i++) if (block[i] !== 0) return false;
  return true;
}

/** Does the checksum of a header block hold? Old programs summed signed bytes: both are accepted, as GNU tar does. */
export function hasValidChecksum(block: Uint8Array): boolean {
  const stored = parseOctal(block, 148, 8);
  if (stored === undefined) return false;
  let unsigned = 0;
  let signed = 0;
  for (let i = 0; i < BLOCK; i++) {
    // The checksum field itself counts as eight blanks.
    const byte = i >= 148 && i < 156 ? 32 : block[i]!;
    unsigned += byte;
    signed += byte < 128 ? byte : byte - 256;
  }
  return stored === unsigned || stored === signed;
}

/** @throws PaddockError when the checksum does not hold or a number makes no sense. */
export function parseHeader(block: Uint8Array): RawHeader {
  if (!hasValidChecksum(block)) throw tarError("a header has a wrong checksum");
  const name = readString(block, 0, 100);
  // Only POSIX's "ustar\0" has a prefix there: GNU's "ustar  " keeps times in the same place.
  const isPosix = readString(block, 257, 6) === "ustar" && block[263] === 48 && block[264] === 48;
  const prefix = isPosix ? readString(block, 345, 155) : "";
  const hasDevices = readString(block, 257, 5) === "ustar";
  const type = String.fromCharCode(block[156] === 0 ? 48 : block[156]!);
  const field = (what: string, at: number, length: number): number => parseNumber(block, at, length, what, name);
  return {
    path: prefix === "" ? name : `${prefix}/${name}`,
    linkPath: readString(block, 157, 100),
    type,
    mode: field("mode", 100, 8) & 0o7777,
    uid: field("owner", 108, 8),
    gid: field("group", 116, 8),
    size: field("size", 124, 12),
    mtime: field("modification time", 136, 12),
    devMajor: hasDevices && (type === "3" || type === "4") ? field("device number", 329, 8) : 0,
    devMinor: hasDevices && (type === "3" || type === "4") ? field("device number", 337, 8) : 0,
  };
}

/** A NUL-terminated (or full) field as a byte string. */
export function readString(bytes: Uint8Array, at: number, length: number): ByteString {
  let end = at;
  while (end < at + length && bytes[end] !== 0) end++;
  return end === at ? "" : toByteString(bytes.subarray(at, end));
}

/** A number field: octal digits, or base 256 when its first bit is set (GNU, for what octal cannot hold). */
export function parseNumber(block: Uint8Array, at: number, length: number, what: string, name: ByteString): number {
  const first = block[at]!;
  const value = (first & 0x80) !== 0 ? parseBase256(block, at, length) : parseOctal(block, at, length);
  if (value === undefined) throw tarError(`${quoteName(name)} has no valid ${what}`);
  return value;
}

/** Old GNU sparse entries (type "S"): pairs of 12-byte offset and length; an empty pair ends them. */
export function parseGnuSegments(block: Uint8Array, at: number, count: number, name: ByteString): Segment[] {
  const segments: Segment[] = [];
  for (let i = 0; i < count; i++, at += 24) {
    if (block[at] === 0 && block[at + 12] === 0) break;
    segments.push({
      offset: parseNumber(block, at, 12, "sparse map", name),
      length: parseNumber(block, at + 12, 12, "sparse map", name),
    });
  }
  return segments;
}

/**
 * The records of a pax header, `LENGTH KEY=VALUE\n` each. Values are bytes, not text: a file capability is binary.
 *
 * @throws PaddockError for a record that is malformed.
 */
export function parsePax(bytes: Uint8Array): PaxRecords {
  const values = new Map<ByteString, ByteString>();
  const sparsePairs: ByteString[] = [];
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(32, at);
    const digits = space < 0 || space - at > 8 ? "" : toByteString(bytes.subarray(at, space));
    const end = at + Number(digits);
    if (!/^[1-9][0-9]*$/.test(digits) || end > bytes.length || end <= space + 1 || bytes[end - 1] !== 10) {
      // GNU tar pads nothing, others fill the rest of the block with NUL.
      if (bytes[at] === 0 && bytes.subarray(at).every((byte) => byte === 0)) break;
      throw tarError("an extended header has a malformed record");
    }
    const record = toByteString(bytes.subarray(space + 1, end - 1));
    const equals = record.indexOf("=");
    if (equals <= 0) throw tarError("an extended header has a record without a key");
    const key = record.slice(0, equals);
    const value = record.slice(equals + 1);
    if (key === "GNU.sparse.offset" || key === "GNU.sparse.numbytes") sparsePairs.push(value);
    else values.set(key, value);
    at = end;
  }
  return { values, sparsePairs };
}

/** A decimal number of a pax record, not negative. @throws PaddockError */
export function parseDecimal(value: ByteString, what: string): number {
  const number = /^[0-9]{1,16}$/.test(value) ? Number(value) : NaN;
  if (!Number.isSafeInteger(number)) throw tarError(`an extended header has no valid ${what}: ${quoteName(value)}`);
  return number;
}

/** A pax time: seconds with an optional fraction, may be negative; cut to nanoseconds. @throws PaddockError */
export function parsePaxTime(value: ByteString): { sec: number; nsec: number } {
  const match = /^(-?)([0-9]{1,15})(?:\.([0-9]*))?$/.exec(value);
  if (match === null) throw tarError(`an extended header has no valid time: ${quoteName(value)}`);
  const sec = Number(match[2]);
  const nsec = Number((match[3] ?? "").slice(0, 9).padEnd(9, "0"));
  if (match[1] !== "-") return { sec, nsec };
  // -1.25 s is 750 ms after second -2.
  return nsec === 0 ? { sec: -sec, nsec: 0 } : { sec: -sec - 1, nsec: 1e9 - nsec };
}

/** The bytes of a LIBARCHIVE.xattr value, which is base64; `undefined` when it is not. */
export function decodeBase64(value: ByteString): Uint8Array<ArrayBuffer> | undefined {
  try {
    return fromByteString(atob(value));
  } catch {
    return undefined;
  }
}

/** Octal digits with blanks around and NUL or blank behind; empty is 0. `undefined` for anything else. */
function parseOctal(block: Uint8Array, at: number, length: number): number | undefined {
  const end = at + length;
  while (at < end && block[at] === 32) at++;
  let value = 0;
  while (at < end && block[at]! >= 48 && block[at]! <= 55) value = value * 8 + (block[at++]! - 48);
  while (at < end && (block[at] === 32 || block[at] === 0)) at++;
  return at === end && Number.isSafeInteger(value) ? value : trailingGarbage(block, at, end) ? value : undefined;
}

/** Some writers leave bytes behind the terminating NUL or blank; the number before it counts. */
function trailingGarbage(block: Uint8Array, at: number, end: number): boolean {
  return at < end && (block[at - 1] === 0 || block[at - 1] === 32) && block[at - 2] !== undefined;
}

/** Big-endian two's complement without the marking bit. */
function parseBase256(block: Uint8Array, at: number, length: number): number | undefined {
  const negative = (block[at]! & 0x40) !== 0;
  let value = negative ? -1n : 0n;
  for (let i = 0; i < length; i++) {
    const byte = i === 0 ? (block[at]! & 0x3f) | (negative ? 0xc0 : 0) : block[at + i]!;
    value = value * 256n + BigInt(byte);
  }
  if (negative) value = BigInt.asIntN(64, value);
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}
