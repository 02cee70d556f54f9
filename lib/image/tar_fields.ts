/**
 * What the fields and records of a tar header mean: types, owners, sparse maps, extended attributes. Pure.
 *
 * @module
 */
import { type ByteString, decodeText, encodeText, fromByteString, quoteName } from "../base/byte_string.ts";
import type { EntryType } from "./tar_entry.ts";
import { BLOCK, decodeBase64, parseDecimal, type PaxRecords, type Segment, tarError } from "./tar_header.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Where the data of a sparse file belongs, and its whole size in bytes. */
export interface SparseMap {
  readonly segments: Segment[];
  readonly size: number;
}

const MAX_ID = 0xfffffffe;

/** A size rounded up to whole blocks. */
export function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** The type that a flag means. */
export function toEntryType(flag: string, path: ByteString): EntryType {
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

/** An owner, from its pax record where there is one. @throws PaddockError for one out of range. */
export function toId(pax: ByteString | undefined, header: number, name: ByteString): number {
  const id = pax === undefined ? header : parseDecimal(pax, "owner");
  if (id < 0 || id > MAX_ID) throw tarError(`${quoteName(name)} has an owner out of range: ${id}`);
  return id;
}

/** Pairs of offset and length. @throws PaddockError */
export function toSegments(numbers: readonly number[]): Segment[] {
  if (numbers.length % 2 !== 0) throw tarError("a sparse map has an odd number of values");
  const segments: Segment[] = [];
  for (let i = 0; i < numbers.length; i += 2) segments.push({ offset: numbers[i]!, length: numbers[i + 1]! });
  return segments;
}

/** Segments ascend without overlap, lie inside the file, and together are the data that is stored. @throws PaddockError */
export function checkSegments(map: SparseMap, stored: number, name: ByteString): void {
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
export function collectXattrs(
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
    return name;
  }
}
