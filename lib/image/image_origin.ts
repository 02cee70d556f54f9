/**
 * As what an image came: its manifest, the index that led to it, and its layers as they were packed. All of that is kept
 * below `blobs`, so that an image that is pushed elsewhere is there what it was here, byte for byte, and has the same
 * digest.
 *
 * ```
 * blobs/ALGORITHM/HEX                manifests, indexes, configurations, packed layers
 * layers/sha256/HEX/packed.json      of a layer: the descriptor of the blob that it was unpacked from
 * ```
 *
 * @module
 */
import { keepBlob, writeWhole } from "./blobs.ts";
import { blobPath, type ContentDigest, isDigest } from "./content_digest.ts";
import { startHash } from "./content_hash.ts";
import { layerPath } from "./layer_names.ts";
import type { Descriptor } from "./manifest.ts";

/** A blob, and what it is. */
export type BlobDescriptor = Pick<Descriptor, "mediaType" | "digest" | "size">;

/** What is kept of an image's coming. */
export interface ImageOrigin {
  /** Its manifest. */
  readonly manifest: BlobDescriptor;
  /** The index that the name stood for. */
  readonly index?: ContentDigest;
  /** `REGISTRY/PATH` where it was pulled from or pushed to; absent for a file. */
  readonly repository?: string;
}

/** A manifest or an index as it came. */
export interface ImageDocumentBytes {
  readonly mediaType: string;
  readonly digest: ContentDigest;
  readonly bytes: Uint8Array;
}

/**
 * Keeps the documents that led to an image.
 *
 * @param documents from what the name stands for down to the manifest.
 */
export function keepOrigin(
  dataRoot: string,
  documents: readonly ImageDocumentBytes[],
  repository: string | undefined,
): ImageOrigin {
  for (const { digest, bytes } of documents) keepBlob(dataRoot, digest, bytes);
  const [first, last] = [documents[0]!, documents.at(-1)!];
  return {
    manifest: { mediaType: last.mediaType, digest: last.digest, size: last.bytes.length },
    ...(first === last ? {} : { index: first.digest }),
    ...(repository === undefined ? {} : { repository }),
  };
}

const PACKED_FILE = "packed.json";
const LONGEST = 4096;

/** Notes from which blob a layer of the store was unpacked. */
export function notePacked(dataRoot: string, chainId: string, { mediaType, digest, size }: BlobDescriptor): void {
  const text = `${JSON.stringify({ mediaType, digest, size })}\n`;
  writeWhole(`${layerPath(dataRoot, chainId)}/${PACKED_FILE}`, new TextEncoder().encode(text));
}

/** The blob that a layer of the store was unpacked from; undefined where that is not known. */
export function readPacked(dataRoot: string, chainId: string): BlobDescriptor | undefined {
  try {
    const path = `${layerPath(dataRoot, chainId)}/${PACKED_FILE}`;
    if (Deno.statSync(path).size > LONGEST) return undefined;
    const { mediaType, digest, size } = JSON.parse(Deno.readTextFileSync(path));
    const isBlob = typeof mediaType === "string" && typeof digest === "string" && isDigest(digest);
    return isBlob && Number.isSafeInteger(size) && size > 0 ? { mediaType, digest, size } : undefined;
  } catch {
    // Not there, or cut short by a power loss: then it is packed again.
    return undefined;
  }
}

const CHUNK = 1 << 20;

/** Path of a blob that is kept, and is what its digest says; undefined where there is none. */
export async function findKept(dataRoot: string, { digest, size }: BlobDescriptor): Promise<string | undefined> {
  const path = `${dataRoot}/${blobPath(digest)}`;
  if (!hasKept(dataRoot, { digest, size })) return undefined;
  const hash = await startHash(digest);
  using file = Deno.openSync(path);
  const buffer = new Uint8Array(CHUNK);
  for (let got = await file.read(buffer); got !== null; got = await file.read(buffer)) {
    hash.update(buffer.subarray(0, got));
  }
  return hash.finish() === digest ? path : undefined;
}

/** Is there a blob of that size? */
export function hasKept(dataRoot: string, { digest, size }: Pick<BlobDescriptor, "digest" | "size">): boolean {
  try {
    return Deno.statSync(`${dataRoot}/${blobPath(digest)}`).size === size;
  } catch {
    return false;
  }
}
