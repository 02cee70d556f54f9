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
import { LayerStore } from "../image/store.ts";
import type { Roots } from "../state/root.ts";
import type { OpenedLayers } from "./open_archive.ts";
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
  using store = LayerStore.open(dataRoot);
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

/** The images that have been loaded, the newest first. @throws PaddockError where the index cannot be read. */
export function listImages({ dataRoot }: Roots): NamedImage[] {
  return listNamedImages(dataRoot);
}

/**
 * Takes a name from an image, or by its id all its names.
 *
 * What lies unpacked stays until `gc --images`: others may be made of the same layers.
 *
 * @returns what it was called.
 * @throws PaddockError where there is none.
 */
export function removeImage(word: string, { dataRoot }: Roots): string[] {
  const image = requireNamed(word, dataRoot);
  const isName = image.name !== undefined && image.name === completeName(word);
  const gone: string[] = [];
  unnameImages(dataRoot, ({ name, id }) => {
    const goes = isName ? name === image.name : id === image.id;
    if (goes) gone.push(showName({ ...(name === undefined ? {} : { name }), id: image.id }));
    return goes;
  });
  return gone;
}

/** The layers of an image that was loaded. @throws PaddockError where there is none, or it is not whole. */
export async function openNamed(word: string, dataRoot: string): Promise<OpenedLayers> {
  const { id, config } = requireNamed(word, dataRoot);
  using store = LayerStore.openThere(dataRoot);
  const image = await store?.findImage(id);
  if (store === undefined || image === undefined) {
    throw new PaddockError(`the layers of "${word}" are not in the store any more`, { hint: "load it again" });
  }
  return { lower: Deno.uid() === 0 ? store.shorten(image.lower) : image.lower, layers: image.lower, config };
}

function requireNamed(word: string, dataRoot: string): NamedImage {
  const image = findNamedImage(listNamedImages(dataRoot), word, completeName(word));
  if (image !== undefined) return image;
  throw new PaddockError(`"${word}": no such file or directory, and no image of that name was loaded`, {
    hint: "paddock images lists those there are; paddock load -i FILE loads what docker save wrote",
  });
}
