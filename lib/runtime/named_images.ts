/**
 * Images by name: `paddock load`, `images` and `rmi`, and `run` of one that was loaded.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import {
  findNamedImage,
  listNamedImages,
  type NamedImage,
  nameImage,
  showName,
  unnameImages,
} from "../image/image_index.ts";
import { importAllImages } from "../image/import_image.ts";
import { completeName } from "../image/reference.ts";
import { ImageStore } from "../image/image_store.ts";
import type { Roots } from "../state/root.ts";
import type { OpenedLayers } from "./open_archive.ts";
import { pruneImages } from "./prune_images.ts";
import type { Voice } from "./voice.ts";

/** An image that was loaded, as people call it. */
export interface LoadedImage {
  readonly id: string;
  /** Short names; empty where the archive gives none. */
  readonly names: readonly string[];
}

/**
 * Loads all images of an archive or a layout under the names that they have there.
 *
 * @param source a path, or `-` for standard input.
 * @throws PaddockError for what cannot be read or stored, and for a root filesystem, which has no name.
 */
export async function loadImages(source: string, { dataRoot }: Roots, voice: Voice): Promise<LoadedImage[]> {
  using store = ImageStore.open(dataRoot);
  const bar = voice.progress("loading");
  try {
    const images = await importAllImages(store, source, {
      onProgress: (done, total) => bar.update(done, total),
    });
    const loaded: LoadedImage[] = [];
    for (const { image, warnings } of images) {
      warnings.forEach((warning) => voice.note(warning));
      await nameImage(dataRoot, image, image.names);
      loaded.push({ id: image.id, names: image.names.map((name) => showName({ name, id: image.id })) });
    }
    return loaded;
  } finally {
    bar.done();
  }
}

/** An image as `images` lists it. */
export interface ListedImage extends Pick<NamedImage, "name" | "id" | "loaded"> {
  /** As docker shows its name. */
  readonly short?: string;
  /** Bytes of files in its layers; undefined where they are not in the store any more. */
  readonly bytes?: number;
}

/** The images that have been loaded, the newest first. @throws PaddockError where the index cannot be read. */
export async function listImages({ dataRoot }: Roots): Promise<ListedImage[]> {
  using store = ImageStore.openThere(dataRoot);
  return await Promise.all(
    listNamedImages(dataRoot).map(async ({ config: _, ...image }): Promise<ListedImage> => {
      const records = (await store?.listChain(image.id) ?? []).map((layer) => store?.layers.readRecord(layer)?.bytes);
      const bytes = records.reduce((sum, size) => sum === undefined || size === undefined ? undefined : sum + size, 0);
      const short = image.name === undefined ? {} : { short: showName(image) };
      return { ...image, ...short, ...(bytes === undefined ? {} : { bytes }) };
    }),
  );
}

/**
 * Takes a name from an image, or by its id all its names. An image without any is gone, with the layers that no other
 * image and no container needs.
 *
 * @returns what it was called.
 * @throws PaddockError where there is none.
 */
export async function removeImage(word: string, roots: Roots): Promise<string[]> {
  const { dataRoot } = roots;
  const image = requireNamed(word, dataRoot);
  const isName = image.name !== undefined && image.name === completeName(word);
  const gone: string[] = [];
  const orphans = unnameImages(dataRoot, ({ name, id }) => {
    const goes = isName ? name === image.name : id === image.id;
    if (goes) gone.push(showName({ ...(name === undefined ? {} : { name }), id: image.id }));
    return goes;
  });
  await pruneImages(roots, { of: orphans });
  return gone;
}

/**
 * The layers of an image that was loaded or pulled; undefined where there is none of that name.
 *
 * @throws PaddockError where it is not whole.
 */
export async function openNamed(word: string, dataRoot: string): Promise<OpenedLayers | undefined> {
  const named = findNamedImage(listNamedImages(dataRoot), word, completeName(word));
  if (named === undefined) return undefined;
  const { id, config } = named;
  using store = ImageStore.openThere(dataRoot);
  const image = await store?.findImage(id);
  if (store === undefined || image === undefined) {
    throw new PaddockError(`the layers of "${word}" are not in the store any more`, { hint: "load it again" });
  }
  return { lower: Deno.uid() === 0 ? store.shorten(image.lower) : image.lower, layers: image.lower, config, id };
}

/**
 * The image that a word means, and the name in full where it is one.
 *
 * @throws PaddockError where there is none.
 */
export function requireImage(word: string, dataRoot: string): NamedImage & { readonly asked?: string } {
  const image = requireNamed(word, dataRoot);
  return image.name !== undefined && image.name === completeName(word) ? { ...image, asked: image.name } : image;
}

function requireNamed(word: string, dataRoot: string): NamedImage {
  const image = findNamedImage(listNamedImages(dataRoot), word, completeName(word));
  if (image !== undefined) return image;
  throw new PaddockError(`no image here is called "${word}"`, { hint: "paddock images lists those there are" });
}

/** For a word that is neither a path nor a name that is known here. */
export function isNowhere(word: string): PaddockError {
  return new PaddockError(`"${word}": no such file or directory, and no image of that name was loaded`, {
    hint: "paddock images lists those there are; paddock load -i FILE loads what docker save wrote",
  });
}
