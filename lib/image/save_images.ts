/**
 * Writes images out: as an archive or a directory of an OCI image layout (image-spec image-layout.md), or as an archive
 * in docker's own format.
 *
 * The same images give the same bytes: entries have no times and no owners of their own, and come in a fixed order.
 * Archives of layouts have docker's `manifest.json` as well, as those of docker do since version 25, so that every
 * docker can load them.
 *
 * @module
 */
import { encodeText } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { blobPath, type ContentDigest } from "./content_digest.ts";
import { hashBytes } from "./content_hash.ts";
import type { ImageStore } from "./image_store.ts";
import { MEDIA_TYPES } from "./manifest.ts";
import { type Compression, type Output, type PackedLayer, packLayer, type SavedBlob } from "./packed_layer.ts";
import { familiarName, parseReference } from "./reference.ts";
import { TarWriter } from "./tar_writer.ts";

/** Forms in which images are written. */
export const SAVE_FORMATS = ["oci-archive", "docker-archive", "oci-dir"] as const;
export type SaveFormat = typeof SAVE_FORMATS[number];

/** An image that is to be saved. */
export interface ImageToSave {
  readonly id: ContentDigest;
  /** Names in full that it is to have; empty: none. */
  readonly names: readonly string[];
}

/** What an image is written as. */
interface PreparedImage {
  readonly names: readonly string[];
  readonly config: SavedBlob;
  readonly layers: readonly PackedLayer[];
  readonly manifest: SavedBlob;
  /** As an index has it. */
  readonly platform: Readonly<Record<string, unknown>>;
}

/** Where files go. A path is given once. */
export interface SaveTarget {
  /** Writes a file of so many bytes. */
  readonly file: (path: string, size: number, write: (output: Output) => Promise<void>) => Promise<void>;
  /** Everything is written. */
  readonly end: () => Promise<void>;
}

/** What a save is told, and whom it tells. */
export interface SaveOptions {
  readonly format: SaveFormat;
  readonly compression: Compression;
  /** Told what the user should know. */
  readonly note: (line: string) => void;
  readonly onProgress: (bytes: number) => void;
}

/**
 * Writes images.
 *
 * @param directory absolute path of a directory for what must be packed first; emptied by the caller.
 * @throws PaddockError where a layer is missing or damaged, or the target takes no more.
 */
export async function saveImages(
  store: ImageStore,
  images: readonly ImageToSave[],
  target: SaveTarget,
  directory: string,
  options: SaveOptions,
): Promise<void> {
  const prepared: PreparedImage[] = [];
  const packed = new Map<string, PackedLayer>();
  for (const image of images) prepared.push(await prepareImage(store, image, packed, directory, options));
  const files = options.format === "docker-archive" ? listDockerFiles(prepared) : listLayoutFiles(prepared, options);
  let done = 0;
  for (const [path, blob] of [...await files].sort(([a], [b]) => a < b ? -1 : 1)) {
    await target.file(path, blob.size, (output) =>
      blob.write((bytes) => {
        options.onProgress(done += bytes.length);
        return output(bytes);
      }));
  }
  await target.end();
}

async function prepareImage(
  store: ImageStore,
  { id, names }: ImageToSave,
  packed: Map<string, PackedLayer>,
  directory: string,
  { compression, note }: SaveOptions,
): Promise<PreparedImage> {
  const image = await store.findImage(id);
  if (image?.image === undefined) {
    throw new PaddockError(`the layers of image ${id} are not in the store any more`, { hint: "load it again" });
  }
  const layers: PackedLayer[] = [];
  for (const chainId of await store.listChain(id)) {
    const layer = packed.get(chainId) ?? await packLayer(store.layers, chainId, compression, directory);
    packed.set(chainId, layer);
    layers.push(layer);
  }
  const text = adjustConfig(image.image.config, id, layers, note);
  const config = await describeText(text, MEDIA_TYPES.config[0]);
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest[0],
    config: describe(config),
    layers: layers.map(describe),
  });
  const { architecture, os, variant } = JSON.parse(text) as Record<string, unknown>;
  return {
    names,
    config,
    layers,
    manifest: await describeText(manifest, MEDIA_TYPES.manifest[0]),
    platform: { architecture, os, ...(variant === undefined ? {} : { variant }) },
  };
}

/** The configuration as it is, but where an archive had to be made anew. */
export function adjustConfig(
  config: string,
  id: ContentDigest,
  layers: readonly Pick<PackedLayer, "diffId">[],
  note: (line: string) => void,
): string {
  const value = JSON.parse(config) as { rootfs: { diff_ids: string[] } };
  const diffIds = layers.map(({ diffId }) => diffId);
  if (diffIds.every((diffId, i) => diffId === value.rootfs.diff_ids[i])) return config;
  note(`${id} gets another id: not all of its layers can be written as they were, as an older paddock unpacked them`);
  return JSON.stringify({ ...value, rootfs: { ...value.rootfs, diff_ids: diffIds } });
}

async function describeText(text: string, mediaType: string): Promise<SavedBlob> {
  const bytes = new TextEncoder().encode(text);
  return {
    digest: await hashBytes(bytes),
    size: bytes.length,
    mediaType,
    write: async (output) => await output(bytes),
  };
}

function describe({ mediaType, digest, size }: SavedBlob): Pick<SavedBlob, "mediaType" | "digest" | "size"> {
  return { mediaType, digest, size };
}

/** Annotations by which an index names its images; the second is containerd's, and docker's. */
const REF_NAME = "org.opencontainers.image.ref.name";
const IMAGE_NAME = "io.containerd.image.name";

async function listLayoutFiles(
  images: readonly PreparedImage[],
  { format }: SaveOptions,
): Promise<Map<string, SavedBlob>> {
  const files = new Map<string, SavedBlob>();
  for (const { config, layers, manifest } of images) {
    for (const blob of [config, ...layers, manifest]) files.set(blobPath(blob.digest), blob);
  }
  const manifests = images.flatMap(({ manifest, platform, names }) => {
    const entry = { ...describe(manifest), platform };
    if (names.length === 0) return [entry];
    return names.map((name) => ({
      ...entry,
      annotations: { [IMAGE_NAME]: name, [REF_NAME]: format === "oci-dir" ? chooseTag(name, images) : name },
    }));
  });
  const index = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index[0], manifests });
  files.set("index.json", await describeText(index, ""));
  files.set("oci-layout", await describeText('{"imageLayoutVersion":"1.0.0"}', ""));
  if (format === "oci-archive") {
    files.set(
      "manifest.json",
      await describeDocker(images, ({ digest }) => blobPath(digest)),
    );
  }
  return files;
}

/** In a directory an image is asked for by its tag alone, unless that could be several. */
function chooseTag(name: string, images: readonly PreparedImage[]): string {
  const tagOf = (name: string): string => parseReference(name)?.tag ?? name;
  const all = images.flatMap(({ names }) => names).filter((other) => tagOf(other) === tagOf(name));
  return all.length === 1 ? tagOf(name) : name;
}

async function listDockerFiles(images: readonly PreparedImage[]): Promise<Map<string, SavedBlob>> {
  const files = new Map<string, SavedBlob>();
  const hex = (digest: string): string => digest.slice("sha256:".length);
  const path = (blob: SavedBlob | PackedLayer): string =>
    "diffId" in blob ? `${hex(blob.diffId)}.tar` : `${hex(blob.digest)}.json`;
  for (const { config, layers } of images) {
    for (const blob of [config, ...layers]) files.set(path(blob), blob);
  }
  return files.set("manifest.json", await describeDocker(images, path));
}

/** docker's `manifest.json`. */
function describeDocker(
  images: readonly PreparedImage[],
  path: (blob: SavedBlob | PackedLayer) => string,
): Promise<SavedBlob> {
  const entries = images.map(({ config, layers, names }) => ({
    Config: path(config),
    RepoTags: names.map(familiarName),
    Layers: layers.map(path),
  }));
  return describeText(JSON.stringify(entries), "");
}

/** Files as entries of a tar archive. @param write takes the archive's bytes, valid during the call. */
export function saveIntoTar(write: (bytes: Uint8Array<ArrayBuffer>) => void): SaveTarget {
  const writer = new TarWriter(write);
  const made = new Set<string>();
  const entry = (path: string, type: "file" | "directory", size: number): void =>
    writer.entry({ ...BLANK, path: encodeText(path), type, size, mode: type === "file" ? 0o644 : 0o755 });
  return {
    file: async (path, size, content) => {
      const parts = path.split("/").slice(0, -1);
      for (const [i] of parts.entries()) {
        const parent = `${parts.slice(0, i + 1).join("/")}/`;
        if (!made.has(parent)) entry(parent, "directory", 0);
        made.add(parent);
      }
      entry(path, "file", size);
      await content((bytes) => writer.data(bytes));
    },
    end: () => Promise.resolve(writer.finish()),
  };
}

const BLANK = { linkPath: "", uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0, devMajor: 0, devMinor: 0, xattrs: [] };
