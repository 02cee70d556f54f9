/**
 * From an archive or a directory of an image to its layers in the store.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { beginsAsImage } from "./begins_as_image.ts";
import { checkLimit, DEFAULT_LIMITS } from "./extract_limits.ts";
import type { ExtractOptions } from "./extract.ts";
import { chooseImage, type ImageContents, listImages } from "./image_contents.ts";
import {
  type ArchivedFiles,
  type ImageFiles,
  type LayerFiles,
  openImageArchive,
  openImageDirectory,
} from "./image_files.ts";
import { isLayout } from "./is_layout.ts";
import { keepLoaded } from "./keep_loaded.ts";
import { ImageArchiveDetector } from "./magic.ts";
import { describePlatform, thisPlatform } from "./platform.ts";
import { type ArchiveSource, openArchive, openSpool } from "./source.ts";
import type { ImageFacts, ImageStore, StoredImage } from "./image_store.ts";
import type { StoredLayer } from "./layer_catalog.ts";

/**
 * Imports an image from an archive that begins as one.
 *
 * @param directory absolute path of a directory for what has to be unpacked first.
 * @param wanted which image, where there are several.
 * @returns the archive once more where its listing says that it is a root filesystem after all.
 * @throws PaddockError for a damaged, hostile or unknown image.
 */
export async function importImage(
  store: ImageStore,
  archive: ArchiveSource,
  directory: string,
  options: ExtractOptions,
  wanted: string | undefined,
): Promise<StoredImage | ArchiveSource> {
  const isPlain = archive.isRegular && archive.format === "tar";
  const path = isPlain ? archive.reopenPath : await spool(archive, `${directory}/archive.tar`, options);
  using files = openImageArchive(path, archive.name);
  if (!isImage(files)) return openSpool(path, archive.name);
  const imported = await importImageFiles(store, files, options, wanted);
  if (isPlain) archive.verify();
  return imported;
}

/** An image that was imported, and what the user should know of it. */
export interface ImportedImage {
  readonly image: ImageFacts;
  readonly warnings: readonly string[];
}

/**
 * Imports all images of an archive, or of a layout that is a directory.
 *
 * @param source a path, or `-` for standard input.
 * @throws PaddockError for a damaged, hostile or unknown image, and for an archive of a root filesystem.
 */
export async function importAllImages(
  store: ImageStore,
  source: string,
  options: ExtractOptions,
): Promise<ImportedImage[]> {
  if (source !== "-" && isLayout(source)) {
    using files = openImageDirectory(source);
    return await importEach(store, files, options);
  }
  using archive = openArchive(source);
  if (!await beginsAsImage(archive)) throw noImage(source);
  return await store.layers.withDirectory(async (directory) => {
    const isPlain = archive.isRegular && archive.format === "tar";
    const path = isPlain ? archive.reopenPath : await spool(archive, `${directory}/archive.tar`, options);
    using files = openImageArchive(path, archive.name);
    if (!isImage(files)) throw noImage(source);
    return await importEach(store, files, options);
  });
}

async function importEach(store: ImageStore, files: ImageFiles, options: ExtractOptions): Promise<ImportedImage[]> {
  const imported: ImportedImage[] = [];
  for (const found of listImages(files)) {
    const contents = await found.read();
    const { image, warnings } = await importContents(store, files, contents, options);
    const origin = contents.origin === undefined
      ? undefined
      : await keepLoaded(store, files, contents.origin, image!.id);
    imported.push({ image: { ...image!, ...(origin === undefined ? {} : { origin }) }, warnings });
  }
  return imported;
}

function noImage(source: string): PaddockError {
  return new PaddockError(`"${source}" holds a root filesystem, which is no image and has no name`, {
    hint: "run it as it is: paddock run FILE",
  });
}

/** Imports an image from its files. @throws PaddockError for a damaged, hostile or unknown image. */
export async function importImageFiles(
  store: ImageStore,
  files: ImageFiles,
  options: ExtractOptions,
  wanted: string | undefined,
): Promise<StoredImage> {
  const contents = await chooseImage(listImages(files), wanted, files.name).read();
  return await importContents(store, files, contents, options);
}

/** The configuration of an image, read where it lies. @throws PaddockError for a damaged or unknown image. */
export async function readConfig(files: ImageFiles, wanted: string | undefined): Promise<string> {
  return (await chooseImage(listImages(files), wanted, files.name).read()).config;
}

/**
 * The same of an archive; undefined for a root filesystem, and for what would have to be unpacked to be looked into.
 *
 * @throws PaddockError for what is no archive.
 */
export async function peekAtArchive(path: string, wanted: string | undefined): Promise<string | undefined> {
  using archive = openArchive(path);
  if (!archive.isRegular || !await beginsAsImage(archive) || archive.format !== "tar") return undefined;
  using files = openImageArchive(archive.reopenPath, archive.name);
  return isImage(files) ? await readConfig(files, wanted) : undefined;
}

/**
 * Imports an image that was chosen. What is allowed counts for all of its layers together.
 *
 * @throws PaddockError for a damaged or hostile image, and for one of another system.
 */
export async function importContents(
  store: ImageStore,
  files: LayerFiles,
  contents: ImageContents,
  options: ExtractOptions,
): Promise<StoredImage> {
  const warnings = checkPlatform(contents, files.name);
  const diffIds: string[] = [];
  let top: StoredLayer | undefined;
  let isNew = false;
  let limits = options.limits ?? DEFAULT_LIMITS;
  for (const [i, { path, digest, diffId }] of contents.layers.entries()) {
    const what = `layer ${i + 1} of ${contents.layers.length}`;
    const open = (): Promise<ArchiveSource> => files.openLayer(path, what, digest);
    top = await store.layers.lookupOrAdd({ open, ...(diffId === undefined ? {} : { diffId }) }, top, {
      ...options,
      limits,
    });
    const { bytes, entries } = store.layers.readRecord(top.chainId)!;
    limits = { ...limits, bytes: limits.bytes - bytes, entries: limits.entries - entries };
    warnings.push(...top.warnings);
    diffIds.push(top.diffId);
    isNew ||= top.isNew;
  }
  const config = completeConfig(contents, diffIds);
  const id = await store.keepConfig(config);
  return { ...top!, isNew, warnings, image: { id, config, names: contents.names } };
}

/** Unpacks an archive that can be read once only, from its beginning to its end. */
async function spool(archive: ArchiveSource, path: string, options: ExtractOptions): Promise<string> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  using file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  let length = 0;
  for await (const chunk of archive.chunks()) {
    length += chunk.length;
    checkLimit("bytes", length, limits.bytes);
    if (length > limits.ratioFrom) {
      checkLimit("times its packed size", Math.ceil(length / archive.bytesRead), limits.ratio);
    }
    for (let at = 0; at < chunk.length;) at += file.writeSync(chunk.subarray(at));
    options.onProgress?.(archive.bytesRead, archive.size);
  }
  archive.verify();
  return path;
}

function isImage(files: ArchivedFiles): boolean {
  const detector = new ImageArchiveDetector();
  for (const path of files.paths()) detector.observe({ path, type: "file" });
  return detector.conclude() !== undefined;
}

/** Of the oldest archives the configuration does not say what its layers are. */
function completeConfig({ config, layers }: ImageContents, diffIds: readonly string[]): string {
  if (layers.every(({ diffId }) => diffId !== undefined)) return config;
  return JSON.stringify({ ...JSON.parse(config), rootfs: { type: "layers", diff_ids: diffIds } });
}

/** An image for another processor may run where the kernel has an emulator for it; another system never does. */
function checkPlatform({ config }: ImageContents, name: string): string[] {
  const { os = "linux", architecture } = JSON.parse(config) as Record<string, unknown>;
  const here = thisPlatform(Deno.build.arch);
  if (os !== here.os) throw new PaddockError(`"${name}" is an image for ${JSON.stringify(os)}, not for linux`);
  if (architecture === undefined || architecture === here.architecture) return [];
  return [`${name} is for ${JSON.stringify(architecture)}, and this machine is ${describePlatform(here)}`];
}
