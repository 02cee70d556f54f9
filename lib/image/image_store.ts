/**
 * The images of a data root: which layers of the store each is made of, and its configuration.
 *
 * An image is known by the digest of its configuration, which `blobs` keeps; its layers follow from that. What a file
 * that was imported holds, a layer or an image, is noted in the store (`source_index.ts`); what people call an image is
 * `image_index.ts`'s.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { beginsAsImage } from "./begins_as_image.ts";
import { keepBlob, readBlob } from "./blobs.ts";
import { chainIdOf } from "./chain_id.ts";
import type { ContentDigest } from "./content_digest.ts";
import { hashBytes } from "./content_hash.ts";
import type { ExtractOptions } from "./extract.ts";
import { readDiffIds } from "./image_config.ts";
import type { ImageOrigin } from "./image_origin.ts";
import type { StoredLayer } from "./layer_catalog.ts";
import { shortenPaths } from "./layer_names.ts";
import { LayerStore } from "./layer_store.ts";
import { type ArchiveSource, openArchive } from "./source.ts";
import { SourceIndex } from "./source_index.ts";
import { guardStore } from "./store_errors.ts";

/** What an archive became: its topmost layer, and of an image what is known of it. */
export interface StoredImage extends StoredLayer {
  /** Absent for a plain root filesystem. */
  readonly image?: ImageFacts;
}

/** What an image is beside its files. */
export interface ImageFacts {
  /** Digest of its configuration, which docker calls the image's id. */
  readonly id: ContentDigest;
  /** The text of its configuration. */
  readonly config: string;
  /** Names in full that the archive gives it; empty where it was known already. */
  readonly names: readonly string[];
  /** What it came as; absent where nothing of that is kept. */
  readonly origin?: ImageOrigin;
}

/** Stands before the digest of a configuration where a layer's could be. */
const IMAGE = "image:";

/** A data root's images. Dispose of it to close its descriptors. */
export class ImageStore implements Disposable {
  /** @param layers the layers that they are made of; the image store's from now on. */
  private constructor(readonly layers: LayerStore) {}

  /** As `LayerStore.open`. @throws PaddockError when the data root cannot be made or written. */
  static open(dataRoot: string): ImageStore {
    return new ImageStore(LayerStore.open(dataRoot));
  }

  /** As `LayerStore.openAlone`, for who removes. @throws PaddockError when there is none. */
  static openAlone(dataRoot: string): ImageStore {
    return new ImageStore(LayerStore.openAlone(dataRoot));
  }

  /** As `LayerStore.openThere`, for who only looks. */
  static openThere(dataRoot: string): ImageStore | undefined {
    const layers = LayerStore.openThere(dataRoot);
    return layers === undefined ? undefined : new ImageStore(layers);
  }

  [Symbol.dispose](): void {
    this.layers[Symbol.dispose]();
  }

  /** Absolute path of the data root. */
  get dataRoot(): string {
    return this.layers.dataRoot;
  }

  /**
   * What an archive became where it is imported already; makes nothing, reads the beginning of the archive alone, and
   * needs no root where the store can be read.
   *
   * @param part which image of several in the archive.
   * @throws PaddockError for what can be no archive, told by its first bytes.
   */
  static async peek(dataRoot: string, source: string, part?: string): Promise<StoredImage | undefined> {
    using archive = openArchive(source);
    if (!archive.isRegular) return undefined;
    await archive.begin();
    using store = ImageStore.openThere(dataRoot);
    const known = store === undefined ? undefined : SourceIndex.peek(store.layers.directory, archive.stat, part);
    return known === undefined ? undefined : await store!.#recall(known, (id) => store!.layers.describe(id));
  }

  /**
   * The layer or the image of an archive, imported unless it is known by its inode, size and times. Processes that
   * import the same file at the same time do the work once.
   *
   * @param source path of the archive, `-` for standard input.
   * @param part which image, where the archive holds several.
   * @throws PaddockError for what cannot be read, unpacked or stored; nothing half-made stays.
   */
  async lookupOrImport(source: string, options: ExtractOptions = {}, part?: string): Promise<StoredImage> {
    using archive = openArchive(source);
    if (!archive.isRegular) return await this.#import(archive, options, part);
    using index = guardStore(this.dataRoot, () => SourceIndex.open(this.layers.directory, archive.stat, part));
    const known = index.read(archive.stat);
    const layer = known === undefined ? undefined : await this.#recall(known, (id) => this.layers.find(id));
    if (layer !== undefined) return layer;
    try {
      const imported = await this.#import(archive, options, part);
      index.write(archive.stat, imported.image === undefined ? imported.chainId : `${IMAGE}${imported.image.id}`);
      return imported;
    } catch (error) {
      index.remove();
      throw error;
    }
  }

  /** A whole root filesystem, or the image that an archive turns out to be. */
  async #import(archive: ArchiveSource, options: ExtractOptions, part: string | undefined): Promise<StoredImage> {
    if (!await beginsAsImage(archive)) {
      if (part === undefined) return await this.layers.addRootfs(archive, options);
      throw new PaddockError(`"${archive.name}" holds a root filesystem and no images, so none is ${part}`);
    }
    // Loaded only now: most archives are root filesystems, and what is there already needs none of it.
    const { importImage } = await import("./import_image.ts");
    return await this.layers.withDirectory(async (directory) => {
      const imported = await importImage(this, archive, directory, options, part);
      if (!("chunks" in imported)) return imported;
      // After all it is a root filesystem that begins with a file of such a name.
      using rootfs = imported;
      return await this.layers.addRootfs(rootfs, options);
    });
  }

  /** Keeps an image's configuration, by which the image is found again. */
  async keepConfig(config: string): Promise<ContentDigest> {
    const bytes = new TextEncoder().encode(config);
    const id = await hashBytes(bytes);
    guardStore(this.dataRoot, () => keepBlob(this.dataRoot, id, bytes));
    return id;
  }

  /** An image that is there and can be trusted, or `undefined`. @param id digest of its configuration. */
  async findImage(id: ContentDigest): Promise<StoredImage | undefined> {
    return await this.#recall(`${IMAGE}${id}`, (chainId) => this.layers.find(chainId));
  }

  /** The same by the configuration itself. */
  async findByConfig(config: string): Promise<StoredImage | undefined> {
    return await this.findImage(await hashBytes(new TextEncoder().encode(config)));
  }

  /** The names of an image's layers, the lowest first; none where its configuration is not there. */
  async listChain(id: ContentDigest): Promise<string[]> {
    const config = readBlob(this.dataRoot, id);
    if (config === undefined) return [];
    const chain: string[] = [];
    for (const diffId of readDiffIds(config, id)) chain.push(await chainIdOf(chain.at(-1), diffId));
    return chain;
  }

  /** Lower directories of an overlay by short names where they are many. @param lower the topmost first. */
  shorten(lower: readonly string[]): readonly string[] {
    return shortenPaths(this.dataRoot, lower);
  }

  /** What a file or a name was noted to hold. */
  async #recall(
    known: string,
    find: (chainId: string) => StoredLayer | undefined,
  ): Promise<StoredImage | undefined> {
    if (!known.startsWith(IMAGE)) return find(known);
    const id = known.slice(IMAGE.length) as ContentDigest;
    const config = readBlob(this.dataRoot, id);
    const top = config === undefined ? undefined : (await this.listChain(id)).at(-1);
    const layer = top === undefined ? undefined : find(top);
    return layer === undefined ? undefined : { ...layer, image: { id, config: config!, names: [] } };
  }
}
