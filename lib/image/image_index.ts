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
import { keepBlob, readBlob, writeWhole } from "./blobs.ts";
import { type ContentDigest, isDigest } from "./content_digest.ts";
import { hashBytes } from "./content_hash.ts";
import { openLocked } from "./lock_file.ts";
import { type IndexEntry, MEDIA_TYPES, parseManifest } from "./manifest.ts";
import { familiarName } from "./reference.ts";
import type { ImageFacts } from "./image_store.ts";

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
}

const NAME = "org.opencontainers.image.ref.name";
const ID = "dev.paddock.config";
const LOADED = "dev.paddock.loaded";

/** All images that are known by name, the newest first. @throws PaddockError where the index cannot be read. */
export function listNamedImages(dataRoot: string): NamedImage[] {
  return readEntries(dataRoot).flatMap(({ annotations }) => {
    const { [NAME]: name, [ID]: id, [LOADED]: loaded = "" } = annotations;
    const config = readBlob(dataRoot, id as ContentDigest);
    if (config === undefined) return [];
    return [{ ...(name === undefined ? {} : { name }), id: id as ContentDigest, config, loaded }];
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
export async function nameImage(dataRoot: string, { id, config }: ImageFacts, names: readonly string[]): Promise<void> {
  const bytes = new TextEncoder().encode(describeManifest(id, config));
  const digest = await hashBytes(bytes);
  const loaded = new Date().toISOString();
  change(dataRoot, (entries) => {
    keepBlob(dataRoot, digest, bytes);
    const taken = entries.filter(({ annotations }) =>
      annotations[NAME] === undefined ? annotations[ID] !== id : !names.includes(annotations[NAME])
    );
    const made = (names.length === 0 ? [undefined] : names).map((name): IndexEntry => ({
      mediaType: MEDIA_TYPES.manifest[0],
      digest,
      size: bytes.length,
      annotations: { ...(name === undefined ? {} : { [NAME]: name }), [ID]: id, [LOADED]: loaded },
    }));
    const known = names.length === 0 && taken.some(({ annotations }) => annotations[ID] === id);
    return known ? taken : [...taken, ...made];
  });
}

/** Takes names from images. @param gone tells of each entry whether it goes. Gives the ids that no entry has any more. */
export function unnameImages(
  dataRoot: string,
  gone: (image: { name?: string; id: ContentDigest }) => boolean,
): ContentDigest[] {
  let orphans: ContentDigest[] = [];
  change(dataRoot, (entries) => {
    const idOf = ({ annotations }: IndexEntry): ContentDigest => annotations[ID] as ContentDigest;
    const isGone = (entry: IndexEntry): boolean => {
      const name = entry.annotations[NAME];
      return gone({ ...(name === undefined ? {} : { name }), id: idOf(entry) });
    };
    const left = entries.filter((entry) => !isGone(entry));
    const leftIds = new Set(left.map(idOf));
    orphans = [...new Set(entries.map(idOf))].filter((id) => !leftIds.has(id));
    return left;
  });
  return orphans;
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

/** A manifest of the unpacked layers: packed ones are not kept. */
function describeManifest(id: ContentDigest, config: string): string {
  const { rootfs } = JSON.parse(config) as { rootfs: { diff_ids: string[] } };
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.manifest[0],
    config: { mediaType: MEDIA_TYPES.config[0], digest: id, size: new TextEncoder().encode(config).length },
    layers: rootfs.diff_ids.map((digest) => ({ mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size: 0 })),
  });
}
