/**
 * What is in an image layout or a `docker save` archive: which images, and of each the configuration and the layers.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { blobPath, type ContentDigest } from "./content_digest.ts";
import { requireDigest } from "./content_hash.ts";
import { parseOldLayer, parseRepositories, parseSavedManifest, type SavedImage } from "./docker_archive.ts";
import type { ImageFiles } from "./image_files.ts";
import type { ImageDocumentBytes } from "./image_origin.ts";
import { readDiffIds } from "./image_config.ts";
import { JsonPlace, parseJson, readObject } from "./json_place.ts";
import {
  type Descriptor,
  type Index,
  type IndexEntry,
  type Manifest,
  MANIFEST_BYTES,
  parseManifest,
} from "./manifest.ts";
import { choosePlatform, describePlatform, isAttestation, thisPlatform } from "./platform.ts";
import { completeName } from "./reference.ts";

/** A layer of an image, as it lies there. */
export interface LayerFile {
  readonly path: string;
  /** Of the file as it is; absent where nobody says. */
  readonly digest?: ContentDigest;
  /** Of what it unpacks to; absent in the oldest archives. */
  readonly diffId?: ContentDigest;
}

/** An image that can be unpacked. */
export interface ImageContents {
  /** Its names in full, where the archive gives any. */
  readonly names: readonly string[];
  /** The text of its configuration, verified; of the oldest archives without the digests of the layers. */
  readonly config: string;
  /** The lowest first. */
  readonly layers: readonly LayerFile[];
  /** As a layout has it; absent in docker's own archives. */
  readonly origin?: LayoutOrigin;
}

/** What a layout says of an image. */
export interface LayoutOrigin {
  /** From the index of the image, where it has one, down to its manifest. */
  readonly documents: readonly ImageDocumentBytes[];
  /** The lowest first. */
  readonly layers: readonly Descriptor[];
}

/** An image that was found, not read yet. */
export interface FoundImage {
  /** What it can be asked for by: tags and names as they stand there, and in full. */
  readonly labels: readonly string[];
  /** Names in full. */
  readonly names: readonly string[];
  /** @throws PaddockError where it is damaged, or is not for this machine. */
  readonly read: () => Promise<ImageContents>;
}

/** Bytes of an image configuration. */
export const CONFIG_BYTES = 16 * 1024 * 1024;
const LAYOUT_BYTES = 4096;
const MOST_NESTED = 4;

/**
 * The images in there.
 *
 * @throws PaddockError for a layout that makes no sense.
 */
export function listImages(files: ImageFiles): FoundImage[] {
  const images = files.has("index.json") && files.has("oci-layout")
    ? listLayout(files)
    : files.has("manifest.json")
    ? listSaved(files)
    : listOldSaved(files);
  if (images.length > 0) return images;
  throw new PaddockError(`"${files.name}" holds no image`, { hint: "make it again, naming the image" });
}

/**
 * The one image in there, or the one that is asked for.
 *
 * @param wanted a tag or a name.
 * @throws PaddockError that lists what there is.
 */
export function chooseImage(images: readonly FoundImage[], wanted: string | undefined, name: string): FoundImage {
  if (wanted === undefined) {
    if (images.length === 1) return images[0]!;
    throw new PaddockError(`"${name}" holds ${images.length} images: ${listLabels(images)}`, {
      hint: "say which: oci:DIRECTORY:TAG, oci-archive:FILE:TAG or docker-archive:FILE:NAME",
    });
  }
  const full = completeName(wanted);
  const exact = images.filter(({ labels }) => labels.includes(wanted));
  const found = exact.length > 0 ? exact : images.filter(({ labels }) => full !== undefined && labels.includes(full));
  if (found.length === 1) return found[0]!;
  if (found.length > 1) {
    throw new PaddockError(`"${name}" holds ${found.length} images ${JSON.stringify(wanted)}: ${listLabels(found)}`, {
      hint: "say the whole name",
    });
  }
  throw new PaddockError(`"${name}" holds no image ${JSON.stringify(wanted)}, but ${listLabels(images)}`);
}

function listLabels(images: readonly FoundImage[]): string {
  return images.map(({ labels }) => labels.length === 0 ? "one without a name" : labels[0]).join(", ");
}

/** Annotations by which an index names its images; the first is containerd's, and docker's. */
const NAME = "io.containerd.image.name";
const REF_NAME = "org.opencontainers.image.ref.name";

function listLayout(files: ImageFiles): FoundImage[] {
  const at = new JsonPlace(`"${files.name}": oci-layout`, "only image layouts of version 1 can be read");
  const layout = readObject(parseJson(readText(files, "oci-layout", LAYOUT_BYTES), at), at);
  if (typeof layout.imageLayoutVersion !== "string" || !/^1\./.test(layout.imageLayoutVersion)) {
    at.child(".imageLayoutVersion").fail("1.0.0 is wanted");
  }
  const index = parseManifest(readText(files, "index.json", MANIFEST_BYTES), `"${files.name}": index.json`);
  if (index.kind !== "index") throw new PaddockError(`"${files.name}": index.json is a manifest, not an index`);
  // Entries of one name are the same image for several platforms; of one digest, the same image under several names.
  const groups: Group[] = [];
  for (const entry of index.manifests.filter((entry) => !isAttestation(entry))) {
    const { [NAME]: name, [REF_NAME]: tag } = entry.annotations;
    const label = name ?? tag;
    const same = groups.find((group) =>
      group.entries.some(({ digest }) => digest === entry.digest) ||
      (label === undefined ? group.labels.size === 0 : group.labels.has(label))
    );
    const group = same ?? { labels: new Set(), tags: new Set(), names: new Set(), entries: [] };
    if (same === undefined) groups.push(group);
    if (label !== undefined) group.labels.add(label);
    if (tag !== undefined) group.tags.add(tag);
    nameOf(entry).forEach((full) => group.names.add(full));
    group.entries.push(entry);
  }
  return groups.map(({ labels, tags, names, entries }) => ({
    labels: [...new Set([...labels, ...names, ...tags])],
    names: [...names],
    read: () => readLayoutImage(files, [...names], entries),
  }));
}

interface Group {
  readonly labels: Set<string>;
  /** Tags alone: of two images with full names they may be the same. */
  readonly tags: Set<string>;
  readonly names: Set<string>;
  readonly entries: IndexEntry[];
}

/** A tag alone is the name of an image that has no other, as podman takes it; `latest` says nothing. */
function nameOf({ annotations }: Descriptor): string[] {
  const given = annotations[NAME] ?? annotations[REF_NAME];
  const full = given === undefined || given === "latest" ? undefined : completeName(given);
  return full === undefined ? [] : [full];
}

async function readLayoutImage(
  files: ImageFiles,
  names: readonly string[],
  entries: readonly IndexEntry[],
): Promise<ImageContents> {
  const documents: ImageDocumentBytes[] = [];
  const { config, layers } = await findManifest(files, { kind: "index", manifests: entries }, documents);
  const text = await readBlobText(files, config, CONFIG_BYTES, "the image's configuration");
  const diffIds = readAllDiffIds(text, files.name, layers.length);
  for (const layer of layers) requireSize(files, layer);
  return {
    names,
    config: text,
    layers: layers.map(({ digest }, i) => ({ path: blobPath(digest), digest, diffId: diffIds[i]! })),
    origin: { documents, layers },
  };
}

/** Goes down through indexes to the manifest for this machine. @param documents takes those on the way */
async function findManifest(files: ImageFiles, index: Index, documents: ImageDocumentBytes[]): Promise<Manifest> {
  if (documents.length > MOST_NESTED) throw new PaddockError(`"${files.name}": indexes within indexes: refused`);
  const platform = thisPlatform(Deno.build.arch);
  const entry = choosePlatform(index.manifests, platform);
  if (entry === undefined) {
    const there = index.manifests.flatMap(({ platform }) => platform === undefined ? [] : [describePlatform(platform)]);
    throw new PaddockError(
      `"${files.name}" has no image for ${describePlatform(platform)}, but for ${there.join(", ") || "nothing"}`,
      { hint: `get it for this machine: --platform ${describePlatform(platform)}` },
    );
  }
  const text = await readBlobText(files, entry, MANIFEST_BYTES, "a manifest");
  const found = parseManifest(text, `"${files.name}": ${entry.digest}`, entry.mediaType);
  documents.push({ mediaType: entry.mediaType, digest: entry.digest, bytes: new TextEncoder().encode(text) });
  return found.kind === "manifest" ? found : await findManifest(files, found, documents);
}

async function readBlobText(files: ImageFiles, blob: Descriptor, limit: number, what: string): Promise<string> {
  const path = blobPath(blob.digest);
  requireSize(files, blob);
  const bytes = files.readBytes(path, limit);
  await requireDigest(bytes, blob.digest, `"${files.name}": ${what}`);
  return new TextDecoder().decode(bytes);
}

function requireSize(files: ImageFiles, { digest, size }: Descriptor): void {
  const found = files.sizeOf(blobPath(digest));
  if (found === size) return;
  const why = found === undefined ? "is not in it, though the image names it" : `has ${found} bytes, not ${size}`;
  throw new PaddockError(`"${files.name}": ${blobPath(digest)} ${why}`, {
    hint: "the image is damaged or incomplete: copy or make it again",
  });
}

function readAllDiffIds(config: string, name: string, layers: number): ContentDigest[] {
  const ids = readDiffIds(config, name);
  if (ids.length === layers) return ids;
  throw new PaddockError(`"${name}": the image's configuration has ${ids.length} digests for ${layers} layers`, {
    hint: "the image is damaged: copy or make it again",
  });
}

function listSaved(files: ImageFiles): FoundImage[] {
  const text = readText(files, "manifest.json", MANIFEST_BYTES);
  return parseSavedManifest(text, `"${files.name}": manifest.json`).map((saved) => {
    const names = completeNames(saved.names);
    return { labels: [...saved.names, ...names], names, read: () => readSaved(files, saved, names) };
  });
}

async function readSaved(files: ImageFiles, saved: SavedImage, names: readonly string[]): Promise<ImageContents> {
  const bytes = files.readBytes(cleanPath(saved.config), CONFIG_BYTES);
  const [hex] = /[0-9a-f]{64}(?=(\.json)?$)/.exec(saved.config) ?? [];
  // The file is called by its own digest; an archive that does without has nothing to verify it by.
  if (hex !== undefined) await requireDigest(bytes, `sha256:${hex}`, `"${files.name}": the image's configuration`);
  const config = new TextDecoder().decode(bytes);
  const diffIds = readAllDiffIds(config, files.name, saved.layers.length);
  return { names, config, layers: saved.layers.map((path, i) => ({ path: cleanPath(path), diffId: diffIds[i]! })) };
}

/** Archives of before docker 1.10: layers know the one below them, and `repositories` the topmost. */
function listOldSaved(files: ImageFiles): FoundImage[] {
  if (!files.has("repositories")) return [];
  const text = readText(files, "repositories", MANIFEST_BYTES);
  const byTop = new Map<string, string[]>();
  for (const [name, id] of parseRepositories(text, `"${files.name}": repositories`)) {
    byTop.set(id, [...(byTop.get(id) ?? []), name]);
  }
  return [...byTop].map(([top, labels]) => {
    const names = completeNames(labels);
    return { labels: [...labels, ...names], names, read: () => Promise.resolve(readOldSaved(files, top, names)) };
  });
}

const MOST_OLD_LAYERS = 500;

function readOldSaved(files: ImageFiles, top: string, names: readonly string[]): ImageContents {
  const layers: LayerFile[] = [];
  let config: Readonly<Record<string, unknown>> | undefined;
  for (let id: string | undefined = top; id !== undefined;) {
    if (layers.length >= MOST_OLD_LAYERS) throw new PaddockError(`"${files.name}": layers without end: refused`);
    const layer = parseOldLayer(readText(files, `${id}/json`, CONFIG_BYTES), `"${files.name}": ${id}/json`);
    config ??= layer.config;
    layers.unshift({ path: `${id}/layer.tar` });
    id = layer.parent;
  }
  return { names, config: JSON.stringify(config), layers };
}

function completeNames(names: readonly string[]): string[] {
  return [...new Set(names.map(completeName).filter((name) => name !== undefined))];
}

/** Of paths in `manifest.json`; one that leads out is found nowhere. */
function cleanPath(path: string): string {
  return path.split("/").filter((part) => part !== "" && part !== ".").join("/");
}

function readText(files: ImageFiles, path: string, limit: number): string {
  return new TextDecoder().decode(files.readBytes(path, limit));
}
