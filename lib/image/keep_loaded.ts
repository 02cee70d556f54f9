/**
 * Keeps as what an image came that is loaded from a layout, so that it is pushed as it came: its packed layers, its
 * manifest, and of an index what else of it is there.
 *
 * A manifest of plain layers is no registry's, but what `docker save` makes of an image: it is not kept, and the layers
 * are packed when they are pushed.
 *
 * @module
 */
import { keepBlob } from "./blobs.ts";
import { blobPath, type ContentDigest } from "./content_digest.ts";
import { hashBytes, startHash } from "./content_hash.ts";
import type { LayoutOrigin } from "./image_contents.ts";
import type { ImageFiles } from "./image_files.ts";
import { type BlobDescriptor, hasKept, type ImageOrigin, keepOrigin, notePacked } from "./image_origin.ts";
import type { ImageStore } from "./image_store.ts";
import { listParts } from "./kept_documents.ts";
import { MANIFEST_BYTES } from "./manifest.ts";
import { compressionOf } from "./packed_layer.ts";

/**
 * Keeps what an image came as.
 *
 * @param id the image's, whose layers are in the store.
 * @returns undefined where that is nothing to be pushed again.
 * @throws PaddockError, KernelError where the files cannot be read, or the store takes no more.
 */
export async function keepLoaded(
  store: ImageStore,
  files: ImageFiles,
  { documents, layers }: LayoutOrigin,
  id: ContentDigest,
): Promise<ImageOrigin | undefined> {
  const chain = await store.listChain(id);
  return await store.layers.withDirectory(async (directory) => {
    const keeper = new Keeper(store.dataRoot, files, directory);
    for (const [i, layer] of layers.entries()) {
      if (compressionOf(layer.mediaType) === "none") continue;
      if (await keeper.keep(layer)) notePacked(store.dataRoot, chain[i]!, layer);
    }
    if (layers.some(({ mediaType }) => compressionOf(mediaType) === "none")) return undefined;
    for (const { bytes } of documents.slice(0, -1)) await keeper.keepNamed(bytes, 0);
    return keepOrigin(store.dataRoot, documents, undefined);
  });
}

const MOST_NESTED = 4;

class Keeper {
  #count = 0;

  constructor(
    private readonly dataRoot: string,
    private readonly files: ImageFiles,
    private readonly directory: string,
  ) {}

  /** @returns false where it is not in the files, or is something else than its digest says */
  async keep({ digest, size }: BlobDescriptor): Promise<boolean> {
    if (hasKept(this.dataRoot, { digest, size })) return true;
    const path = blobPath(digest);
    if (this.files.sizeOf(path) !== size) return false;
    const draft = `${this.directory}/${this.#count++}`;
    const hash = await startHash(digest);
    {
      using file = Deno.openSync(draft, { write: true, createNew: true, mode: 0o600 });
      this.files.copyOut(path, (bytes) => {
        hash.update(bytes);
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      });
    }
    if (hash.finish() !== digest) return false;
    const kept = `${this.dataRoot}/${path}`;
    Deno.mkdirSync(kept.slice(0, kept.lastIndexOf("/")), { recursive: true, mode: 0o700 });
    Deno.renameSync(draft, kept);
    return true;
  }

  /** Of an index, the images for other platforms as far as they are there. */
  async keepNamed(document: Uint8Array, depth: number): Promise<void> {
    if (depth > MOST_NESTED) return;
    for (const { digest, size } of listParts(new TextDecoder().decode(document)).manifests) {
      const path = blobPath(digest);
      if (this.files.sizeOf(path) !== size || size > MANIFEST_BYTES) continue;
      const bytes = this.files.readBytes(path, MANIFEST_BYTES);
      if (await hashBytes(bytes) !== digest) continue;
      keepBlob(this.dataRoot, digest, bytes);
      for (const blob of listParts(new TextDecoder().decode(bytes)).blobs) await this.keep(blob);
      await this.keepNamed(bytes, depth + 1);
    }
  }
}
