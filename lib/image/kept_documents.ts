/**
 * What hangs together below `blobs`: from an index or a manifest that is kept to all that it names.
 *
 * @module
 */
import { readBlob } from "./blobs.ts";
import { type ContentDigest, isDigest } from "./content_digest.ts";
import { hashBytes } from "./content_hash.ts";
import { type BlobDescriptor, hasKept, type ImageDocumentBytes } from "./image_origin.ts";

/** An index or a manifest with what is below it. */
export interface KeptTree {
  /** Those that are kept, each behind those that it names; the last is the one that was asked for. */
  readonly documents: readonly ImageDocumentBytes[];
  /** Configurations and layers that they name, kept or not. */
  readonly blobs: readonly BlobDescriptor[];
  /** Is all of it kept? */
  readonly isWhole: boolean;
}

const MOST_NESTED = 4;
const DEFAULT_TYPE = "application/vnd.oci.image.index.v1+json";

/** What a document names, at any depth. @param root of the document itself */
export async function readKeptTree(dataRoot: string, root: Pick<BlobDescriptor, "digest">): Promise<KeptTree> {
  const documents = new Map<ContentDigest, ImageDocumentBytes>();
  const blobs = new Map<ContentDigest, BlobDescriptor>();
  let isWhole = true;
  const visit = async (digest: ContentDigest, said: string | undefined, depth: number): Promise<void> => {
    if (documents.has(digest)) return;
    const text = readBlob(dataRoot, digest);
    const bytes = new TextEncoder().encode(text);
    if (text === undefined || depth > MOST_NESTED || await hashBytes(bytes) !== digest) {
      isWhole = false;
      return;
    }
    const parts = listParts(text);
    for (const part of parts.manifests) await visit(part.digest, part.mediaType, depth + 1);
    for (const part of parts.blobs) {
      blobs.set(part.digest, part);
      isWhole &&= hasKept(dataRoot, part);
    }
    documents.set(digest, { digest, bytes, mediaType: parts.mediaType ?? said ?? DEFAULT_TYPE });
  };
  await visit(root.digest, undefined, 0);
  return { documents: [...documents.values()], blobs: [...blobs.values()], isWhole };
}

/** What a document names. */
export interface Parts {
  readonly mediaType?: string;
  readonly manifests: readonly BlobDescriptor[];
  readonly blobs: readonly BlobDescriptor[];
}

/** What a document names: statements about images as well, whose layers are none. Never throws. */
export function listParts(text: string): Parts {
  let value: Record<string, unknown>;
  try {
    value = Object(JSON.parse(text));
  } catch {
    return { manifests: [], blobs: [] };
  }
  const list = (part: unknown): BlobDescriptor[] => (Array.isArray(part) ? part : [part]).filter(isDescriptor);
  const { mediaType } = value;
  return {
    ...(typeof mediaType === "string" ? { mediaType } : {}),
    manifests: list(value.manifests),
    blobs: [...list(value.config), ...list(value.layers)],
  };
}

function isDescriptor(value: unknown): value is BlobDescriptor {
  const { mediaType, digest, size } = Object(value) as Record<string, unknown>;
  return typeof mediaType === "string" && typeof digest === "string" && isDigest(digest) && Number.isSafeInteger(size);
}
