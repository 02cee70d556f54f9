/**
 * Images that are not a directory of files: from the store, or into it first.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { openImageDirectory } from "../image/image_files.ts";
import type { ImagePlace } from "../image/image_word.ts";
import { ImageStore, type StoredImage } from "../image/image_store.ts";
import type { Voice } from "./voice.ts";

/** How far an image is opened: `import` extracts it into the store, `look` only if it is there already. */
export type OpenMode = "import" | "look";

/** What an image became. */
export interface OpenedLayers {
  /** Lower directories of an overlay, the topmost first. */
  readonly lower: readonly string[];
  /** Where its files can be read now, the topmost first; empty where it was not extracted. */
  readonly layers: readonly string[];
  /** The text of the image's own configuration; absent for a plain root filesystem. */
  readonly config?: string;
  /** Digest of that configuration, where the image is in the store. */
  readonly id?: string;
}

/**
 * The layers of an image; in the mode `look` one that is not in the store stays where it is, and its layer is named as
 * it would be.
 *
 * @throws PaddockError for an image that cannot be read or stored.
 */
export async function openLayers(
  place: ImagePlace,
  dataRoot: string,
  mode: OpenMode,
  voice: Voice,
): Promise<OpenedLayers> {
  if (mode === "import") {
    using store = ImageStore.open(dataRoot);
    const image = await importPlace(store, place, voice);
    return { ...describeImage(image), lower: store.shorten(image.lower) };
  }
  return await lookForImage(place, dataRoot);
}

/**
 * Imports an image into the store, if it is not there.
 *
 * @throws PaddockError for an image that cannot be read or stored.
 */
export async function importPlace(store: ImageStore, place: ImagePlace, voice: Voice): Promise<StoredImage> {
  const { path, part } = place;
  const bar = voice.progress(path === "-" ? "importing" : `importing ${path.slice(path.lastIndexOf("/") + 1)}`);
  const onProgress = (done: number, total: number | undefined): void => bar.update(done, total);
  try {
    const image = place.form === "archive"
      ? await store.lookupOrImport(path, { onProgress }, part)
      : await importLayout(store, place, { onProgress });
    image.warnings.forEach((warning) => voice.note(warning));
    return image;
  } finally {
    bar.done();
  }
}

/** A directory may change at any time: its documents are read each time, and its layers where they are not there yet. */
async function importLayout(
  store: ImageStore,
  { path, part }: ImagePlace,
  options: Parameters<ImageStore["lookupOrImport"]>[1],
): Promise<StoredImage> {
  const { importImageFiles } = await import("../image/import_image.ts");
  using files = openImageDirectory(requireDirectory(path));
  return await importImageFiles(store, files, options ?? {}, part);
}

/** What is in the store already is shown as it is there; of the rest, what can be read of it where it lies. */
async function lookForImage(place: ImagePlace, dataRoot: string): Promise<OpenedLayers> {
  const { form, path, part } = place;
  const there = form === "archive" && path !== "-" ? await ImageStore.peek(dataRoot, path, part) : undefined;
  if (there !== undefined) return describeImage(there);
  return await shownAs(path === "-" ? undefined : await readConfigOf(place), dataRoot);
}

/** An image as it is in the store, or would be. @param config absent for what is not known yet */
export async function shownAs(config: string | undefined, dataRoot: string): Promise<OpenedLayers> {
  using store = config === undefined ? undefined : ImageStore.openThere(dataRoot);
  const image = config === undefined ? undefined : await store?.findByConfig(config);
  if (image !== undefined) return describeImage(image);
  const lower = [`${dataRoot}/layers/sha256/DIGEST/rootfs`];
  return { lower, layers: [], ...(config === undefined ? {} : { config }) };
}

/** The configuration of an image that is not imported; undefined for a root filesystem, and what is packed. */
async function readConfigOf({ form, path, part }: ImagePlace): Promise<string | undefined> {
  const { peekAtArchive, readConfig } = await import("../image/import_image.ts");
  if (form === "archive") return await peekAtArchive(path, part);
  using files = openImageDirectory(requireDirectory(path));
  return await readConfig(files, part);
}

function requireDirectory(path: string): string {
  try {
    if (Deno.statSync(path).isDirectory) return path;
  } catch {
    throw new PaddockError(`"${path}": no such directory`, { hint: "oci: names the directory of an image layout" });
  }
  throw new PaddockError(`"${path}" is not a directory`, { hint: "oci-archive: names an archive of an image layout" });
}

/** What a container is made of. */
export function describeImage(image: StoredImage): OpenedLayers {
  return {
    lower: image.lower,
    layers: image.lower,
    ...(image.image === undefined ? {} : { config: image.image.config, id: image.image.id }),
  };
}
