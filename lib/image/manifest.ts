/**
 * Indexes and manifests of images, OCI's and docker's (image-spec image-index.md, manifest.md; docker's "Image Manifest
 * V 2, Schema 2"). Pure; nothing in them is trusted.
 *
 * One document could be read as two things, with other layers in each (CVE-2021-41190): what has the fields of both, or
 * is called one thing and looks like the other, is refused.
 *
 * @module
 */
import { type ContentDigest, readDigest } from "./content_digest.ts";
import { JsonPlace, parseJson, readList, readObject, readText, readTextMap } from "./json_place.ts";

/** Names a blob, and says what it is. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: ContentDigest;
  /** Bytes. */
  readonly size: number;
  readonly annotations: Readonly<Record<string, string>>;
}

/** What a manifest in an index is for. */
export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** One line of an index. */
export interface IndexEntry extends Descriptor {
  readonly platform?: Platform;
}

/** A manifest of one image: its configuration, and its layers, the lowest first. */
export interface Manifest {
  readonly kind: "manifest";
  /** What it says that it is. */
  readonly mediaType?: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

/** A list of manifests or of further indexes. */
export interface Index {
  readonly kind: "index";
  /** What it says that it is. */
  readonly mediaType?: string;
  readonly manifests: readonly IndexEntry[];
}

/** Media types by what they are. */
export const MEDIA_TYPES = {
  index: ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"],
  manifest: ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"],
  config: ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"],
} as const;

/** A layer is a tar, plain or packed; which of them its content tells. `foreign` ones may be there or not. */
const LAYER_TYPE =
  /^application\/vnd\.(oci\.image\.layer\.(nondistributable\.)?v1\.tar(\+gzip|\+zstd)?|docker\.image\.rootfs\.(foreign\.)?diff\.tar(\.gzip|\.zstd)?)$/;

/** Bytes of an index or a manifest: as registries bound them. */
export const MANIFEST_BYTES = 4 * 1024 * 1024;
/** As many lower directories as an overlay takes (`OVL_MAX_STACK` of the kernel). */
const MOST_LAYERS = 500;
const MOST_MANIFESTS = 10_000;

/**
 * Reads an index or a manifest.
 *
 * @param subject what it is and where, for errors.
 * @param mediaType what the descriptor says that led to it; absent for `index.json` itself.
 * @throws PaddockError for what is neither, or both.
 */
export function parseManifest(text: string, subject: string, mediaType?: string): Index | Manifest {
  const at = new JsonPlace(subject, "the image is damaged or made to be misread: get it again");
  const value = readObject(parseJson(text, at), at);
  const kind = tellKind(value, mediaType, at);
  const said = typeof value.mediaType === "string" ? { mediaType: value.mediaType } : {};
  if (kind === "index") return { kind, ...said, manifests: readEntries(value.manifests, at.child(".manifests")) };
  const config = readDescriptor(value.config, at.child(".config"));
  requireType(config, MEDIA_TYPES.config, at.child(".config"), "not an image");
  return { kind, ...said, config, layers: readLayers(value.layers, at.child(".layers")) };
}

function tellKind(
  value: Record<string, unknown>,
  mediaType: string | undefined,
  at: JsonPlace,
): "index" | "manifest" {
  if (value.schemaVersion === 1 || "fsLayers" in value) {
    at.fail("a manifest of docker's schema 1, which names no content; images of since 2016 have schema 2");
  }
  if (value.schemaVersion !== 2) at.child(".schemaVersion").fail("2 is wanted");
  const isIndex = "manifests" in value;
  const isManifest = "layers" in value || "config" in value;
  if (isIndex && isManifest) at.fail("it has manifests and layers, and could be read as either");
  if (!isIndex && !isManifest) at.fail("it has neither manifests nor layers");
  const kind = isIndex ? "index" : "manifest";
  const said = value.mediaType === undefined ? undefined : readText(value.mediaType, at.child(".mediaType"));
  if (said !== undefined && mediaType !== undefined && said !== mediaType) {
    at.child(".mediaType").fail(`${said}, but what led here says ${mediaType}`);
  }
  for (const type of [said, mediaType]) {
    if (type !== undefined && !(MEDIA_TYPES[kind] as readonly string[]).includes(type)) {
      at.fail(`it is called ${type}, and is ${kind === "index" ? "an index" : "a manifest"}`);
    }
  }
  return kind;
}

function readEntries(value: unknown, at: JsonPlace): IndexEntry[] {
  const entries = readList(value, at);
  if (entries.length > MOST_MANIFESTS) at.fail(`${entries.length} manifests; no image has more than ${MOST_MANIFESTS}`);
  return entries.map((entry, i) => {
    const here = at.child(`[${i}]`);
    const { platform } = readObject(entry, here);
    const descriptor = readDescriptor(entry, here);
    return platform === undefined || platform === null
      ? descriptor
      : { ...descriptor, platform: readPlatform(platform, here.child(".platform")) };
  });
}

function readLayers(value: unknown, at: JsonPlace): Descriptor[] {
  const layers = readList(value, at);
  if (layers.length === 0) at.fail("an image of no layers");
  if (layers.length > MOST_LAYERS) at.fail(`${layers.length} layers; an overlay has at most ${MOST_LAYERS}`);
  return layers.map((entry, i) => {
    const here = at.child(`[${i}]`);
    const layer = readDescriptor(entry, here);
    if (!LAYER_TYPE.test(layer.mediaType)) here.child(".mediaType").fail(`${layer.mediaType} is no layer of files`);
    return layer;
  });
}

function readDescriptor(value: unknown, at: JsonPlace): Descriptor {
  const { mediaType, digest, size, annotations } = readObject(value, at);
  if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0) at.child(".size").fail("no number of bytes");
  return {
    mediaType: readText(mediaType, at.child(".mediaType")),
    digest: readDigest(digest, at.child(".digest")),
    size: size as number,
    annotations: annotations === undefined || annotations === null
      ? {}
      : readTextMap(annotations, at.child(".annotations")),
  };
}

function readPlatform(value: unknown, at: JsonPlace): Platform {
  const { os, architecture, variant } = readObject(value, at);
  return {
    os: readText(os, at.child(".os")),
    architecture: readText(architecture, at.child(".architecture")),
    ...(variant === undefined || variant === "" ? {} : { variant: readText(variant, at.child(".variant")) }),
  };
}

function requireType(descriptor: Descriptor, types: readonly string[], at: JsonPlace, otherwise: string): void {
  if (!types.includes(descriptor.mediaType)) at.child(".mediaType").fail(`${descriptor.mediaType}: ${otherwise}`);
}
