/**
 * `paddock verify`: is everything that the store has what it was?
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { listBlobs } from "../image/blobs.ts";
import type { ContentDigest } from "../image/content_digest.ts";
import { startHash } from "../image/content_hash.ts";
import { listNamedImages, type NamedImage, showName } from "../image/image_index.ts";
import { ImageStore } from "../image/image_store.ts";
import { hasLayerArchive, readLayerArchive } from "../image/layer_archive.ts";
import { LayerCheck } from "../image/layer_check.ts";
import { layerPath } from "../image/layer_names.ts";
import { TarReader } from "../image/tar_reader.ts";
import type { Roots } from "../state/root.ts";
import { requireImage } from "./named_images.ts";
import type { Voice } from "./voice.ts";

/** What came of looking at one thing. */
export interface Verified {
  readonly kind: "image" | "blob" | "layer";
  /** A name, or a digest. */
  readonly what: string;
  /** `unknown`: nothing is kept that it could be compared with. */
  readonly state: "whole" | "damaged" | "unknown";
  /** What is wrong with it, or why it cannot be compared. */
  readonly problems: readonly string[];
}

/**
 * Looks at images with all that they are made of, or at the whole store.
 *
 * @param words names or ids of images; none: everything.
 * @throws PaddockError where there is no such image, or the store cannot be read.
 */
export async function verifyStore(words: readonly string[], { dataRoot }: Roots, voice: Voice): Promise<Verified[]> {
  const images = words.length > 0 ? words.map((word) => requireImage(word, dataRoot)) : listNamedImages(dataRoot);
  using store = ImageStore.openThere(dataRoot);
  const found: Verified[] = [];
  const blobs = new Set<ContentDigest>(words.length > 0 ? images.map(({ id }) => id) : listBlobs(dataRoot));
  for (const digest of blobs) found.push(await verifyBlob(dataRoot, digest));
  if (store === undefined) return found;
  const chains = new Map<NamedImage, readonly string[]>();
  for (const image of images) chains.set(image, await listChain(store, image));
  const layers = words.length > 0 ? new Set([...chains.values()].flat()) : store.layers.list();
  const bar = voice.progress("verifying");
  const damaged = new Set<string>();
  try {
    let bytes = 0;
    for (const chainId of layers) {
      const layer = await verifyLayer(store, chainId, (length) => bar.update(bytes += length, undefined));
      if (layer.state === "damaged") damaged.add(chainId);
      found.push(layer);
    }
  } finally {
    bar.done();
  }
  for (const [image, chain] of chains) {
    const problems = [
      ...chain.length === 0 ? ["its configuration is not there, or makes no sense"] : [],
      ...chain.filter((layer) => damaged.has(layer)).map((layer) => `layer ${layer} is damaged`),
      ...chain.filter((layer) => store.layers.readRecord(layer) === undefined).map((layer) =>
        `layer ${layer} is not there`
      ),
    ];
    found.push({ kind: "image", what: showName(image), state: problems.length === 0 ? "whole" : "damaged", problems });
  }
  return found;
}

/** The layers of an image; none where its configuration makes no sense. */
async function listChain(store: ImageStore, { id }: NamedImage): Promise<readonly string[]> {
  try {
    return await store.listChain(id);
  } catch (error) {
    if (!(error instanceof PaddockError)) throw error;
    return [];
  }
}

const CHUNK = 1 << 20;

async function verifyBlob(dataRoot: string, digest: ContentDigest): Promise<Verified> {
  const hash = await startHash(digest);
  const problems: string[] = [];
  try {
    using file = Deno.openSync(`${dataRoot}/blobs/${digest.replace(":", "/")}`);
    const buffer = new Uint8Array(CHUNK);
    for (let got; (got = file.readSync(buffer)) !== null;) hash.update(buffer.subarray(0, got));
    const found = hash.finish();
    if (found !== digest) problems.push(`it is ${found}`);
  } catch (error) {
    problems.push(error instanceof Deno.errors.NotFound ? "it is not there" : (error as Error).message);
  }
  return { kind: "blob", what: digest, state: problems.length === 0 ? "whole" : "damaged", problems };
}

/** Writes the layer's archive again from its files, and compares its digest, and then the files with the archive. */
async function verifyLayer(store: ImageStore, chainId: string, onProgress: (bytes: number) => void): Promise<Verified> {
  const layer = { kind: "layer", what: chainId } as const;
  const record = store.layers.readRecord(chainId);
  const path = layerPath(store.dataRoot, chainId);
  if (record === undefined) return { ...layer, state: "damaged", problems: ["its record is not there, or damaged"] };
  if (!hasLayerArchive(path)) {
    return { ...layer, state: "unknown", problems: ["an older paddock unpacked it, and kept nothing to compare with"] };
  }
  try {
    const hash = await startHash("sha256:");
    using check = new LayerCheck(`${path}/rootfs`, record.isLayer ?? record.parent !== undefined);
    const reader = new TarReader(check);
    await readLayerArchive(path, (bytes) => {
      hash.update(bytes);
      reader.push(bytes);
      onProgress(bytes.length);
    });
    reader.end();
    const found = hash.finish();
    const problems = found === record.diffId ? check.compare() : [`its files make ${found}, not ${record.diffId}`];
    return { ...layer, state: problems.length === 0 ? "whole" : "damaged", problems };
  } catch (error) {
    if (!(error instanceof PaddockError)) throw error;
    return { ...layer, state: "damaged", problems: [error.message] };
  }
}
