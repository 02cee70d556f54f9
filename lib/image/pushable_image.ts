/**
 * An image of the store as it is pushed: its layers as they came where their blobs are kept, else packed anew.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { readBlob } from "./blobs.ts";
import { blobPath, type ContentDigest } from "./content_digest.ts";
import { hashBytes } from "./content_hash.ts";
import type { NamedImage } from "./image_index.ts";
import { type BlobDescriptor, findKept, hasKept, type ImageDocumentBytes, readPacked } from "./image_origin.ts";
import type { ImageStore } from "./image_store.ts";
import { type Manifest, MEDIA_TYPES, parseManifest } from "./manifest.ts";
import { type Compression, compressionOf, packLayer } from "./packed_layer.ts";
import { adjustConfig } from "./save_images.ts";

/** A layer that is to be pushed. */
export interface PushableLayer {
  readonly chainId: string;
  readonly diffId: ContentDigest;
  /** What it is at registries; absent where that is known when it is packed. */
  readonly known?: BlobDescriptor;
}

/** A layer as a file. */
export interface LayerFile extends BlobDescriptor {
  readonly path: string;
  readonly diffId: ContentDigest;
}

/** How layers are packed that have not come packed. */
export interface PackOptions {
  readonly compression?: Compression | undefined;
  /** Those that have, too. */
  readonly isForced: boolean;
}

/** An image that is to be pushed. */
export class PushableImage {
  private constructor(
    private readonly store: ImageStore,
    private readonly options: PackOptions,
    readonly id: ContentDigest,
    private readonly config: string,
    /** As it came, the lowest first. */
    readonly layers: readonly PushableLayer[],
    private readonly kept: Kept | undefined,
  ) {}

  /** @throws PaddockError where its layers are not in the store any more */
  static async open(store: ImageStore, named: NamedImage, options: PackOptions): Promise<PushableImage> {
    const { id, config } = named;
    const image = await store.findImage(id);
    const chain = await store.listChain(id);
    if (image === undefined) {
      throw new PaddockError(`the layers of image ${id} are not in the store any more`, { hint: "get it again" });
    }
    const kept = options.isForced ? undefined : await readKept(store.dataRoot, named, chain.length);
    const layers = chain.map((chainId, i): PushableLayer => {
      const diffId = store.layers.readRecord(chainId)!.diffId as ContentDigest;
      const known = chooseKnown(store.dataRoot, chainId, kept?.manifest.layers[i], options);
      return { chainId, diffId, ...(known === undefined ? {} : { known }) };
    });
    return new PushableImage(store, options, id, config, layers, kept);
  }

  /** Path of its configuration, as a blob is kept. */
  get configPath(): string {
    return `${this.store.dataRoot}/${blobPath(this.id)}`;
  }

  /**
   * A layer as a file: the blob that it came as, or one that is made of it now, with another digest perhaps.
   *
   * @param directory absolute path of one for what is made, this layer's own.
   * @throws PaddockError for a layer that was changed, or is not there.
   */
  async openLayer({ chainId, diffId, known }: PushableLayer, directory: string): Promise<LayerFile> {
    const { dataRoot } = this.store;
    for (const blob of known === undefined ? [] : [known, readPacked(dataRoot, chainId)]) {
      const path = blob === undefined ? undefined : await findKept(dataRoot, blob);
      if (path !== undefined) return { ...blob!, diffId, path };
    }
    const compression = known === undefined ? this.options.compression ?? "gzip" : compressionOf(known.mediaType);
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    const packed = await packLayer(this.store.layers, chainId, compression, directory);
    if (packed.path !== undefined) return { ...packed, path: packed.path };
    const path = `${directory}/plain.tar`;
    using file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
    await packed.write((bytes) => {
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
    });
    return { ...packed, path };
  }

  /**
   * The configuration for layers as they were pushed, and the manifest: the one that came, where they are as they came.
   *
   * @param note told where that cannot be.
   */
  async describe(
    layers: readonly (BlobDescriptor & { readonly diffId: ContentDigest })[],
    note: (line: string) => void,
  ): Promise<{ readonly config: ImageDocumentBytes; readonly manifest: ImageDocumentBytes }> {
    const text = adjustConfig(this.config, this.id, layers, note);
    const config = await describeBytes(text, MEDIA_TYPES.config[0]);
    const changed = layers.findIndex(({ digest }, i) => digest !== this.kept?.manifest.layers[i]?.digest);
    if (this.kept !== undefined && changed < 0 && config.digest === this.id) return { config, manifest: this.kept };
    if (this.kept !== undefined) {
      note(`it gets another digest than ${this.kept.digest}: layer ${changed + 1} is not kept as it came`);
    }
    const manifest = JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.manifest[0],
      config: { mediaType: config.mediaType, digest: config.digest, size: config.bytes.length },
      layers: layers.map(({ mediaType, digest, size }) => ({ mediaType: ociType(mediaType), digest, size })),
    });
    return { config, manifest: await describeBytes(manifest, MEDIA_TYPES.manifest[0]) };
  }
}

/** What a layer came as. A layer of which that is not kept is packed as it was the last time, or as it is asked for. */
function chooseKnown(
  dataRoot: string,
  chainId: string,
  named: BlobDescriptor | undefined,
  { compression, isForced }: PackOptions,
): BlobDescriptor | undefined {
  if (isForced) return undefined;
  const known = named ?? readPacked(dataRoot, chainId);
  if (known === undefined || hasKept(dataRoot, known)) return known;
  return compression === undefined || compression === compressionOf(known.mediaType) ? known : undefined;
}

interface Kept extends ImageDocumentBytes {
  readonly manifest: Manifest;
}

/** The manifest that an image came with; undefined where it is not kept, or does not fit. */
async function readKept(dataRoot: string, { id, origin }: NamedImage, layers: number): Promise<Kept | undefined> {
  const text = origin === undefined ? undefined : readBlob(dataRoot, origin.manifest.digest);
  if (origin === undefined || text === undefined) return undefined;
  const bytes = new TextEncoder().encode(text);
  const { digest, mediaType } = origin.manifest;
  if (!digest.startsWith("sha256:") || await hashBytes(bytes) !== digest) return undefined;
  const manifest = parseManifest(text, `"${digest}"`, mediaType);
  if (manifest.kind !== "manifest" || manifest.config.digest !== id || manifest.layers.length !== layers) {
    return undefined;
  }
  return { digest, mediaType, bytes, manifest };
}

async function describeBytes(text: string, mediaType: string): Promise<ImageDocumentBytes> {
  const bytes = new TextEncoder().encode(text);
  return { mediaType, bytes, digest: await hashBytes(bytes) };
}

/** The same in OCI's words, as all that is in an OCI manifest has to be. */
function ociType(mediaType: string): string {
  const compression = compressionOf(mediaType);
  return `application/vnd.oci.image.layer.v1.tar${compression === "none" ? "" : `+${compression}`}`;
}
