/**
 * What a registry has under a name: from the name or the digest through indexes to the manifest for a platform, and to
 * the image's configuration. Nothing is trusted: each document is bounded, and is what its digest says before it is read.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { escapeControl } from "../../base/text.ts";
import { type ContentDigest, isDigest } from "../content_digest.ts";
import { hashBytes, requireDigest } from "../content_hash.ts";
import { readDiffIds } from "../image_config.ts";
import { CONFIG_BYTES } from "../image_contents.ts";
import type { ImageDocumentBytes } from "../image_origin.ts";
import {
  type Descriptor,
  type Manifest,
  MANIFEST_BYTES,
  MEDIA_TYPES,
  parseManifest,
  type Platform,
} from "../manifest.ts";
import { choosePlatform, describePlatform } from "../platform.ts";
import { readBody } from "./http.ts";
import type { RegistrySession } from "./session.ts";

/** A manifest that was chosen. */
export interface RemoteManifest {
  /** Of what the name itself stands for: an index or a manifest. */
  readonly digest: ContentDigest;
  readonly manifest: Manifest;
  /** From that down to the manifest, as they came. */
  readonly documents: readonly ImageDocumentBytes[];
}

const MOST_NESTED = 4;
const ACCEPT = [...MEDIA_TYPES.manifest, ...MEDIA_TYPES.index].join(", ");

/**
 * Asks for the manifest of an image.
 *
 * @param wanted a tag or a digest.
 * @throws PaddockError for what is no image, or none for the platform; Refusal and Unreachable where it cannot be had.
 */
export async function readRemoteManifest(
  session: RegistrySession,
  wanted: string,
  platform: Platform,
): Promise<RemoteManifest> {
  const name = `${session.endpoint.registry}/${session.endpoint.repository}`;
  let document = await readDocument(session, wanted, undefined, name);
  const { digest } = document;
  const documents: ImageDocumentBytes[] = [];
  for (let depth = 0;; depth++) {
    const subject = `"${name}": ${document.digest}`;
    const found = parseManifest(new TextDecoder().decode(document.bytes), subject, document.mediaType);
    documents.push({ ...document, mediaType: document.mediaType ?? found.mediaType ?? MEDIA_TYPES[found.kind][0] });
    if (found.kind === "manifest") return { digest, manifest: found, documents };
    if (depth >= MOST_NESTED) throw new PaddockError(`"${name}": indexes within indexes: refused`);
    const entry = choosePlatform(found.manifests, platform);
    if (entry === undefined) {
      const there = found.manifests.flatMap(({ platform }) =>
        platform === undefined ? [] : [describePlatform(platform)]
      );
      throw new PaddockError(
        `"${name}" has no image for ${describePlatform(platform)}, but for ${
          [...new Set(there)].join(", ") || "nothing"
        }`,
        { hint: "choose another with --platform OS/ARCHITECTURE" },
      );
    }
    document = await readDocument(session, entry.digest, entry, name);
  }
}

interface Document {
  readonly digest: ContentDigest;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What it is said to be; undefined where nobody says and its content has to. */
  readonly mediaType: string | undefined;
}

async function readDocument(
  session: RegistrySession,
  wanted: string,
  entry: Descriptor | undefined,
  name: string,
): Promise<Document> {
  if (entry !== undefined && entry.size > MANIFEST_BYTES) throw tooLarge(name, MANIFEST_BYTES);
  const answer = await session.demand({ path: `${session.base}/manifests/${wanted}`, headers: { accept: ACCEPT } });
  const said = readContentType(answer.headers.get("content-type"), name);
  const claimed = answer.headers.get("docker-content-digest");
  const bytes = await bounded(readBody(answer, MANIFEST_BYTES), name, MANIFEST_BYTES);
  const digest = isDigest(wanted) ? wanted : await hashBytes(bytes);
  if (isDigest(wanted)) await requireDigest(bytes, wanted, `"${name}": a manifest`);
  if (entry !== undefined && bytes.length !== entry.size) {
    throw new PaddockError(`"${name}": ${wanted} has ${bytes.length} bytes, and its index says ${entry.size}`);
  }
  if (claimed?.startsWith("sha256:") && digest.startsWith("sha256:") && claimed !== digest) {
    throw new PaddockError(
      `"${name}": the registry calls a manifest ${escapeControl(claimed).slice(0, 80)}, and it is ${digest}`,
    );
  }
  if (entry !== undefined && said !== undefined && said !== entry.mediaType) {
    throw new PaddockError(
      `"${name}": ${wanted} is ${entry.mediaType} for its index, and ${said} for the registry: refused`,
    );
  }
  return { digest, bytes, mediaType: entry?.mediaType ?? said };
}

/** Types that say nothing: some registries and proxies have no better. */
const MEANINGLESS = ["application/json", "text/plain", "application/octet-stream", "binary/octet-stream", ""];

function readContentType(header: string | null, name: string): string | undefined {
  const type = (header ?? "").split(";")[0]!.trim().toLowerCase();
  if (MEANINGLESS.includes(type)) return undefined;
  if (/^application\/vnd\.docker\.distribution\.manifest\.v1\+/.test(type)) {
    throw new PaddockError(`"${name}" has a manifest of docker's schema 1 only, which names no content`, {
      hint: "images of since 2016 have schema 2: push it again with a newer tool",
    });
  }
  if ([...MEDIA_TYPES.index, ...MEDIA_TYPES.manifest].some((known) => known === type)) return type;
  throw new PaddockError(`"${name}": what is answered is ${JSON.stringify(escapeControl(type))}, and no manifest`, {
    hint: "is there a registry at that address, and no login page in between?",
  });
}

/** The text of an image's configuration, and its layers' digests. @throws as `readRemoteManifest` */
export async function readRemoteConfig(session: RegistrySession, manifest: Manifest): Promise<string> {
  const name = `${session.endpoint.registry}/${session.endpoint.repository}`;
  const { digest, size } = manifest.config;
  if (size > CONFIG_BYTES) throw tooLarge(name, CONFIG_BYTES);
  const answer = await session.demand({ path: `${session.base}/blobs/${digest}` });
  const bytes = await bounded(readBody(answer, size), name, size);
  await requireDigest(bytes, digest, `"${name}": the image's configuration`);
  return new TextDecoder().decode(bytes);
}

/** What a configuration says its layers unpack to. @throws PaddockError where that does not fit the manifest. */
export function pairLayers(config: string, manifest: Manifest, name: string): ContentDigest[] {
  const ids = readDiffIds(config, name);
  if (ids.length === manifest.layers.length) return ids;
  throw new PaddockError(
    `"${name}": the image's configuration has ${ids.length} digests for ${manifest.layers.length} layers`,
    { hint: "the image is damaged: push it again" },
  );
}

async function bounded<T>(reading: Promise<T>, name: string, limit: number): Promise<T> {
  try {
    return await reading;
  } catch (error) {
    throw error instanceof RangeError ? tooLarge(name, limit) : error;
  }
}

function tooLarge(name: string, limit: number): PaddockError {
  return new PaddockError(`"${name}": a document of the image is larger than ${limit} bytes: refused`);
}
