/**
 * What a file is, told by its content and never by its name. Pure.
 *
 * @module
 */
import type { ByteString } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { BLOCK, hasValidChecksum, isZeroBlock } from "./tar_header.ts";
import type { TarEntry } from "./tar_entry.ts";

/** Formats that are told apart. */
export type Format = "tar" | "gzip" | "zstd" | "xz" | "bzip2" | "lz4" | "zip" | "squashfs" | "empty" | "unknown";

/** How many first bytes `tellFormat` wants to see. */
export const MAGIC_BYTES = BLOCK;

const MAGICS: readonly (readonly [Format, readonly number[]])[] = [
  ["gzip", [0x1f, 0x8b]],
  ["zstd", [0x28, 0xb5, 0x2f, 0xfd]],
  ["xz", [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ["bzip2", [0x42, 0x5a, 0x68]],
  ["lz4", [0x04, 0x22, 0x4d, 0x18]],
  ["zip", [0x50, 0x4b, 0x03, 0x04]],
  ["squashfs", [0x68, 0x73, 0x71, 0x73]],
];

/** Tells the format from a file's first bytes (`MAGIC_BYTES` of them, fewer only where the file is shorter). */
export function tellFormat(first: Uint8Array): Format {
  if (first.length === 0) return "empty";
  // A tar has no magic of its own in its first form, but its header has a checksum: nothing else passes by chance.
  if (first.length >= BLOCK) {
    const block = first.subarray(0, BLOCK);
    if (hasValidChecksum(block) || isZeroBlock(block)) return "tar";
  }
  // A skippable frame (RFC 8878, 3.1.2) may open a zstd file: pzstd writes one.
  if (first.length >= 4 && (first[0]! & 0xf0) === 0x50 && first[1] === 0x2a && first[2] === 0x4d && first[3] === 0x18) {
    return "zstd";
  }
  return MAGICS.find(([, magic]) => magic.every((byte, i) => first[i] === byte))?.[0] ?? "unknown";
}

/** The formats that can be read as they are. */
export type ReadableFormat = "tar" | "gzip" | "zstd";

const NEEDS_TOOL: Partial<Record<Format, string>> = {
  xz: "xz -d",
  bzip2: "bzip2 -d",
  lz4: "lz4 -d",
  zip: "unzip",
  squashfs: "unsquashfs",
};

/**
 * Lets the readable formats pass.
 *
 * @param name the file as the user named it.
 * @throws PaddockError that says what the file is and what to do.
 */
export function requireReadable(format: Format, name: string): ReadableFormat {
  if (format === "tar" || format === "gzip" || format === "zstd") return format;
  if (format === "empty") {
    throw new PaddockError(`"${name}" is empty`, { hint: "make it again with: docker export CONTAINER > FILE" });
  }
  const tool = NEEDS_TOOL[format];
  if (tool !== undefined) {
    throw new PaddockError(`"${name}" is a ${format} file, not a tar archive, gzip or zstd`, {
      hint: `unpack it first with: ${tool} FILE`,
    });
  }
  throw new PaddockError(`"${name}" is not a tar archive (plain, gzip or zstd)`, {
    hint: "a root filesystem is a directory, or an archive as docker export writes it",
  });
}

/** Kinds of archives that are images, not root filesystems. */
export type ImageArchive = "docker save" | "OCI image layout";

const HEX64 = "[0-9a-f]{64}";
const LAYER = new RegExp(`^(${HEX64}/(VERSION|json|layer\\.tar)|${HEX64}\\.(json|tar)|blobs/sha(256|512)/[0-9a-f]+)$`);
const DOCUMENTS = ["manifest.json", "repositories", "oci-layout", "index.json"];
const ROOT_DIRECTORY = /^(bin|sbin|usr|etc|lib|dev|proc|var)(\/|$)/;

/** Is the path one of an image archive's own? A root filesystem may have a file of such a name, hardly as its first. */
export function isImagePath(path: ByteString): boolean {
  const clean = cleanPath(path);
  return LAYER.test(clean) || DOCUMENTS.includes(clean);
}

function cleanPath(path: ByteString): ByteString {
  return path.replace(/^(\.?\/)+/, "");
}

/** Watches the entries of an archive go by and tells an image from a root filesystem. */
export class ImageArchiveDetector {
  readonly #documents = new Set<ByteString>();
  #hasLayers = false;
  #hasRoot = false;

  /** Notes an entry. */
  observe(entry: Pick<TarEntry, "path" | "type">): void {
    const path = cleanPath(entry.path);
    this.#hasRoot ||= ROOT_DIRECTORY.test(path);
    if (entry.type === "directory") return;
    this.#hasLayers ||= LAYER.test(path);
    if (DOCUMENTS.includes(path)) this.#documents.add(path);
  }

  /** What the whole listing says; `undefined` for a root filesystem. */
  conclude(): ImageArchive | undefined {
    const has = (name: string): boolean => this.#documents.has(name);
    if (this.#hasRoot) return undefined;
    if (has("manifest.json") && (this.#hasLayers || has("oci-layout"))) return "docker save";
    if (has("oci-layout") && has("index.json")) return "OCI image layout";
    return has("repositories") && this.#hasLayers ? "docker save" : undefined;
  }
}

/** The error for an archive that is an image, but does not begin as one. */
export function imageArchiveError(name: string, kind: ImageArchive): PaddockError {
  return new PaddockError(
    `"${name}" is ${kind === "docker save" ? "a" : "an"} ${kind} archive with other files in it`,
    {
      hint: "make it again with docker save, or take the other files out",
    },
  );
}
