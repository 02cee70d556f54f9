/**
 * Where each file of an archive lies, found by its headers alone: the data between them is jumped over.
 *
 * For archives of images, which are a few large files; their layers are read by `tar_reader.ts`.
 *
 * @module
 */
import { type ByteString, quoteName } from "../base/byte_string.ts";
import { checkLimit } from "./extract_limits.ts";
import { padded } from "./tar_fields.ts";
import { BLOCK, isZeroBlock, parseDecimal, parseHeader, parsePax, readString, tarError } from "./tar_header.ts";

/** A file of an archive: where its data begins, in bytes, and how much there is. */
export interface TarPlace {
  readonly offset: number;
  readonly size: number;
}

/** Fills a buffer from a position in the archive; gives how many bytes there were. */
export type ReadAt = (into: Uint8Array<ArrayBuffer>, offset: number) => number;

/** More than an image of the most layers can have, in the layout that has most files for each. */
const MOST_ENTRIES = 100_000;
/** Bytes of a name or an extended header. */
const LARGEST_META = 1 << 20;
const MOST_LINKS = 8;

/** The files of an archive by their path, without a leading `./`; links are followed to the file they lead to. */
export class TarIndex {
  readonly #files = new Map<ByteString, TarPlace>();
  readonly #links = new Map<ByteString, ByteString>();

  /**
   * Reads all headers.
   *
   * @param size bytes of the archive.
   * @throws PaddockError for an archive that is damaged or incomplete.
   */
  constructor(private readonly readAt: ReadAt, private readonly size: number) {
    this.#scan();
  }

  /** Paths of all files and links. */
  paths(): ByteString[] {
    return [...this.#files.keys(), ...this.#links.keys()];
  }

  /** Where a file lies; undefined where there is none, or a link leads nowhere. */
  find(path: ByteString): TarPlace | undefined {
    let at: ByteString | undefined = path;
    for (let links = 0; at !== undefined && links <= MOST_LINKS; links++) {
      const file = this.#files.get(at);
      if (file !== undefined) return file;
      at = this.#links.get(at);
    }
    return undefined;
  }

  #scan(): void {
    let longPath: ByteString | undefined;
    let longLink: ByteString | undefined;
    let longSize: number | undefined;
    let entries = 0;
    for (let at = 0; at + BLOCK <= this.size;) {
      const block = this.#read(at, BLOCK);
      if (isZeroBlock(block)) return;
      checkLimit("entries", ++entries, MOST_ENTRIES);
      const header = parseHeader(block);
      const size = longSize ?? header.size;
      const data = at + BLOCK;
      at = data + padded(header.type === "1" ? 0 : size);
      if (size < 0 || (header.type !== "1" && data + size > this.size)) {
        throw tarError(`it ends inside ${quoteName(longPath ?? header.path)}`);
      }
      if (header.type === "x") {
        const { values } = parsePax(this.#readMeta(data, size));
        longPath = values.get("path") ?? longPath;
        longLink = values.get("linkpath") ?? longLink;
        longSize = values.has("size") ? parseDecimal(values.get("size")!, "size") : undefined;
        continue;
      }
      if (header.type === "L" || header.type === "K") {
        const meta = this.#readMeta(data, size);
        if (header.type === "L") longPath = readString(meta, 0, meta.length);
        else longLink = readString(meta, 0, meta.length);
        continue;
      }
      this.#add(longPath ?? header.path, header.type, longLink ?? header.linkPath, { offset: data, size });
      longPath = longLink = longSize = undefined;
    }
  }

  /** The last entry of a name counts, as it does for who unpacks the archive. */
  #add(name: ByteString, type: string, target: ByteString, place: TarPlace): void {
    const path = normalize(name, []);
    if (path === undefined) return;
    this.#files.delete(path);
    this.#links.delete(path);
    if (type === "0" || type === "7") this.#files.set(path, place);
    else if (type === "1" || type === "2") {
      const link = normalize(target, type === "1" ? [] : path.split("/").slice(0, -1));
      if (link !== undefined) this.#links.set(path, link);
    }
  }

  #readMeta(offset: number, size: number): Uint8Array<ArrayBuffer> {
    checkLimit("bytes in a header", size, LARGEST_META);
    return this.#read(offset, size);
  }

  #read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      const got = this.readAt(bytes.subarray(filled), offset + filled);
      if (got === 0) throw tarError("it ends inside a header");
      filled += got;
    }
    return bytes;
  }
}

/** A path from the archive's root; undefined where it leads out. @param from the directory it begins in. */
function normalize(path: ByteString, from: readonly ByteString[]): ByteString | undefined {
  const parts = path.startsWith("/") ? [] : [...from];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}
