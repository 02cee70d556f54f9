/**
 * The names of images in a data root: an image layout of OCI (`oci-layout`, `index.json`, `blobs`), whose layers lie
 * unpacked in the store beside it.
 *
 * Written by rename, under a lock: processes that change it at the same time come one after the other, and who reads it
 * needs none.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { openDirectory } from "../kernel/fs.ts";
import { keepBlob, readBlob, removeBlob, writeWhole } from "./blobs.ts";
import { type ContentDigest, isDigest } from "./content_digest.ts";
import { hashBytes } from "./content_hash.ts";
import { openLocked } from "./lock_file.ts";
import { type IndexEntry, MEDIA_TYPES, parseManifest } from "./manifest.ts";
import { familiarName } from "./reference.ts";
import type { ImageFacts } from "./image_store.ts";
import type { ImageOrigin } from "./image_origin.ts";

/** An image that has a name, or was loaded without one. */
export interface NamedImage {
  /** In full; absent for one without a name. */
  readonly name?: string;
  /** Digest of its configuration. */
  readonly id: ContentDigest;
  /** The text of its configuration. */
  readonly config: string;
  /** ISO 8601: when it was loaded. */
  readonly loaded: string;
  /** What it came as; absent where that was not kept. */
  readonly origin?: ImageOrigin;
}

const NAME = "org.opencontainers.image.ref.name";
const ID = "dev.paddock.config";
const LOADED = "dev.paddock.loaded";
/** Where it came from; empty for a file. */
const ORIGIN = "dev.paddock.origin";
const INDEX = "dev.paddock.index";

/** All images that are known by name, the newest first. @throws PaddockError where the index cannot be read. */
export function listNamedImages(dataRoot: string): NamedImage[] {
  return readEntries(dataRoot).flatMap((entry) => {
    const { annotations } = entry;
    const { [NAME]: name, [ID]: id, [LOADED]: loaded = "" } = annotations;
    const config = readBlob(dataRoot, id as ContentDigest);
    if (config === undefined) return [];
    const origin = readOrigin(entry);
    const known = { ...(name === undefined ? {} : { name }), ...(origin === undefined ? {} : { origin }) };
    return [{ ...known, id: id as ContentDigest, config, loaded }];
  }).sort((a, b) => a.loaded < b.loaded ? 1 : a.loaded > b.loaded ? -1 : 0);
}

/**
 * The image that a user's word means: a name, or the beginning of an id of at least four digits.
 *
 * @param name the word as a full name; undefined where it can be none.
 * @throws PaddockError where it could be several.
 */
export function findNamedImage(
  images: readonly NamedImage[],
  word: string,
  name: string | undefined,
): NamedImage | undefined {
  const named = images.find((image) => image.name !== undefined && image.name === name);
  if (named !== undefined) return named;
  const prefix = word.replace(/^sha256:/, "");
  if (!/^[0-9a-f]{4,64}$/.test(prefix)) return undefined;
  const found = images.filter(({ id }) => id.startsWith(`sha256:${prefix}`));
  if (new Set(found.map(({ id }) => id)).size > 1) {
    throw new PaddockError(`${JSON.stringify(word)} is the beginning of several images' ids`, {
      hint: "say more of it",
    });
  }
  return found[0];
}

/** Gives an image names; one that another image has is taken from that. Without names it is kept as it is. */
export async function nameImage(dataRoot: string, image: ImageFacts, names: readonly string[]): Promise<void> {
  const { id } = image;
  const loaded = new Date().toISOString();
  const { manifest, annotations } = image.origin === undefined
    ? { manifest: await makeManifest(dataRoot, image), annotations: {} }
    : { manifest: image.origin.manifest, annotations: describeOrigin(image.origin) };
  change(dataRoot, (entries) => {
    const taken = entries.filter(({ annotations }) =>
      annotations[NAME] === undefined ? annotations[ID] !== id : !names.includes(annotations[NAME])
    );
    const made = (names.length === 0 ? [undefined] : names).map((name): IndexEntry => ({
      ...manifest,
      annotations: { ...(name === undefined ? {} : { [NAME]: name }), [ID]: id, [LOADED]: loaded, ...annotations },
    }));
    const known = names.length === 0 && taken.some(({ annotations }) => annotations[ID] === id);
    return known ? taken : [...taken, ...made];
  });
}

/** Notes as what an image was pushed, under one of its names; its manifest is kept already. */
export function noteOrigin(dataRoot: string, { id, name }: Pick<NamedImage, "id" | "name">, origin: ImageOrigin): void {
  change(dataRoot, (entries) => {
    const isMeant = ({ annotations }: IndexEntry): boolean => annotations[ID] === id && annotations[NAME] === name;
    const noted = entries.map((entry) =>
      isMeant(entry)
        ? { ...entry, ...origin.manifest, annotations: { ...entry.annotations, ...describeOrigin(origin) } }
        : entry
    );
    const needed = new Set(noted.map(({ digest }) => digest));
    for (const { digest } of entries.filter(isMeant)) if (!needed.has(digest)) removeBlob(dataRoot, digest);
    return noted;
  });
}

/** What is of no use any more when names are gone. */
export interface Orphans {
  /** Of images that no entry has any more. */
  readonly ids: readonly ContentDigest[];
  /** Manifests and indexes of entries that have gone. */
  readonly documents: readonly ContentDigest[];
}

/** Takes names from images. @param gone tells of each entry whether it goes. */
export function unnameImages(
  dataRoot: string,
  gone: (image: { name?: string; id: ContentDigest }) => boolean,
): Orphans {
  let orphans: Orphans = { ids: [], documents: [] };
  change(dataRoot, (entries) => {
    const idOf = ({ annotations }: IndexEntry): ContentDigest => annotations[ID] as ContentDigest;
    const isGone = (entry: IndexEntry): boolean => {
      const name = entry.annotations[NAME];
      return gone({ ...(name === undefined ? {} : { name }), id: idOf(entry) });
    };
    const going = new Set(entries.filter(isGone));
    const left = entries.filter((entry) => !going.has(entry));
    const leftIds = new Set(left.map(idOf));
    const documents = [...going].flatMap(listDocuments);
    orphans = { ids: [...new Set(entries.map(idOf))].filter((id) => !leftIds.has(id)), documents };
    return left;
  });
  return orphans;
}

/** Digests of the manifests and indexes of all images that are known by name. */
export function listKeptDocuments(dataRoot: string): ContentDigest[] {
  return readEntries(dataRoot).flatMap(listDocuments);
}

function listDocuments(entry: IndexEntry): ContentDigest[] {
  const index = readOrigin(entry)?.index;
  return index === undefined ? [entry.digest] : [entry.digest, index];
}

/** An image as people call it. */
export function showName({ name, id }: Pick<NamedImage, "name" | "id">): string {
  return name === undefined ? id : familiarName(name);
}

function change(dataRoot: string, edit: (entries: readonly IndexEntry[]) => readonly IndexEntry[]): void {
  Deno.mkdirSync(dataRoot, { recursive: true, mode: 0o700 });
  using root = openDirectory(dataRoot);
  using _lock = openLocked(root.number, "index.lock");
  const manifests = edit(readEntries(dataRoot));
  const text = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.index[0], manifests }, undefined, 2);
  const encode = (value: string): Uint8Array => new TextEncoder().encode(`${value}\n`);
  writeWhole(`${dataRoot}/oci-layout`, encode('{"imageLayoutVersion":"1.0.0"}'));
  writeWhole(`${dataRoot}/index.json`, encode(text));
}

function readEntries(dataRoot: string): readonly IndexEntry[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(`${dataRoot}/index.json`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
  const index = parseManifest(text, `"${dataRoot}/index.json"`);
  if (index.kind !== "index") throw new PaddockError(`"${dataRoot}/index.json" is no index of images`);
  // What somebody else has written into it has no such annotation, and is left out of sight.
  return index.manifests.filter(({ annotations }) => isDigest(annotations[ID] ?? ""));
}

function readOrigin({ mediaType, digest, size, annotations }: IndexEntry): ImageOrigin | undefined {
  const { [ORIGIN]: repository, [INDEX]: index } = annotations;
  if (repository === undefined) return undefined;
  return {
    manifest: { mediaType, digest, size },
    ...(index !== undefined && isDigest(index) ? { index } : {}),
    ...(repository === "" ? {} : { repository }),
  };
}

function describeOrigin({ repository = "", index }: ImageOrigin): Record<string, string> {
  return { [ORIGIN]: repository, ...(index === undefined ? {} : { [INDEX]: index }) };
}

/** Keeps a manifest of the unpacked layers, for an image of whose own nothing is known. */
async function makeManifest(dataRoot: string, { id, config }: ImageFacts): Promise<ImageOrigin["manifest"]> {
  const bytes = new TextEncoder().encode(describeManifest(id, config));
  const digest = await hashBytes(bytes);
  keepBlob(dataRoot, digest, bytes);
  return { mediaType: MEDIA_TYPES.manifest[0], digest, size: bytes.length };
}

function describeManifest(id: ContentDigest, config: string): string {
  const { rootfs } = JSON.parse(config) as { rootfs: { diff_ids: string[] } };
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest[0],
    config: { mediaType: MEDIA_TYPES.config[0], digest: id, size: new TextEncoder().encode(config).length },
    layers: rootfs.diff_ids.map((digest) => ({ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: 0 })),
  });
}
