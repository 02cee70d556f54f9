/**
 * From a registry into the store: the manifest, the configuration, and the layers that are not there yet. While one
 * layer is unpacked the next ones are downloaded.
 *
 * The manifest is read once. All else is asked for by digests, so a tag that moves meanwhile changes nothing.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { readBlob } from "../blobs.ts";
import { blobPath, type ContentDigest } from "../content_digest.ts";
import { hashBytes } from "../content_hash.ts";
import type { ImageStore, StoredImage } from "../image_store.ts";
import { type ImageDocumentBytes, keepOrigin } from "../image_origin.ts";
import { importContents } from "../import_image.ts";
import type { Manifest, Platform } from "../manifest.ts";
import { describePlatform } from "../platform.ts";
import type { Reference } from "../reference.ts";
import { explainFailure } from "./failure.ts";
import { LayerDownloads, type LayerReport } from "./layer_downloads.ts";
import { pairLayers, readRemoteConfig, readRemoteManifest } from "./remote_image.ts";
import type { RegistrySession } from "./session.ts";

/** What is wanted. */
export interface PullOptions {
  readonly reference: Reference;
  /** The name in full, for the user. */
  readonly name: string;
  /** Where it can be had, the best first. */
  readonly sessions: readonly RegistrySession[];
  readonly platform: Platform;
  /** Did the user ask for that platform? Then no other will do. */
  readonly isPlatformAsked: boolean;
  readonly report: PullReport;
}

/** Told how far a pull is. */
export interface PullReport {
  /** One line for the user. */
  note(line: string): void;
  /** A layer, the lowest first. @param size bytes, packed */
  layer(digest: ContentDigest, size: number): LayerReport;
}

/** What a registry has, before it is pulled. */
export interface RemoteImage {
  /** Of what the name stands for. */
  readonly digest: ContentDigest;
  readonly manifest: Manifest;
  /** From what the name stands for down to the manifest, as they came. */
  readonly documents: readonly ImageDocumentBytes[];
  /** The text of the configuration, which is what its digest says. */
  readonly config: string;
  /** Where it was found. */
  readonly session: RegistrySession;
}

/**
 * Looks an image up; what is in the data root already is not asked for.
 *
 * @throws PaddockError where it is nowhere to be had, or is no image for the platform.
 */
export async function lookUpRemote(options: PullOptions, dataRoot: string): Promise<RemoteImage> {
  const { reference, platform, name } = options;
  const wanted = reference.digest ?? reference.tag ?? "latest";
  const { session, digest, manifest, documents } = await fromFirst(options, async (session) => ({
    session,
    ...await readRemoteManifest(session, wanted, platform),
  }));
  const config = await keptConfig(dataRoot, manifest.config.digest) ??
    await fromFirst(options, (session) => readRemoteConfig(session, manifest), session);
  if (options.isPlatformAsked) requirePlatform(config, platform, name);
  return { digest, manifest, documents, config, session };
}

/** Pulls an image into the store. @throws PaddockError; no image and no half layer is left then. */
export async function pullImage(store: ImageStore, options: PullOptions): Promise<StoredImage> {
  const { name, sessions, report, reference } = options;
  const { manifest, documents, config, session } = await lookUpRemote(options, store.dataRoot);
  const diffIds = pairLayers(config, manifest, name);
  const first = [session, ...sessions.filter((other) => other !== session)];
  using downloads = await LayerDownloads.begin(store, name, first, manifest.layers, diffIds, report);
  const layers = manifest.layers.map(({ digest }, i) => ({ path: blobPath(digest), digest, diffId: diffIds[i]! }));
  const onProgress = (done: number, total: number | undefined): void => downloads.unpacked(done, total);
  const pulled = await importContents(store, downloads, { names: [name], config, layers }, { onProgress });
  downloads.keep();
  const origin = keepOrigin(store.dataRoot, documents, `${reference.domain}/${reference.path}`);
  return { ...pulled, image: { ...pulled.image!, origin } };
}

/** Asks one place after the other. @param first the one to begin with */
async function fromFirst<T>(
  { sessions, name, report }: PullOptions,
  body: (session: RegistrySession) => Promise<T>,
  first: RegistrySession | undefined = sessions[0],
): Promise<T> {
  const order = [...(first === undefined ? [] : [first]), ...sessions.filter((session) => session !== first)];
  for (const [i, session] of order.entries()) {
    try {
      return await body(session);
    } catch (error) {
      const explained = explainFailure(error, `"${name}"`, session.endpoint.registry);
      if (i === order.length - 1 || !(explained instanceof PaddockError)) throw explained;
      report.note(`${explained.message}; asking ${order[i + 1]!.endpoint.registry} instead`);
    }
  }
  throw new PaddockError(`"${name}" is nowhere to be had: all places that the configuration names are excluded`);
}

/** A configuration that the data root has, whole. */
async function keptConfig(dataRoot: string, digest: ContentDigest): Promise<string | undefined> {
  const text = readBlob(dataRoot, digest);
  if (text === undefined || !digest.startsWith("sha256:")) return undefined;
  return await hashBytes(new TextEncoder().encode(text)) === digest ? text : undefined;
}

function requirePlatform(config: string, platform: Platform, name: string): void {
  const { os = "linux", architecture } = JSON.parse(config) as Record<string, unknown>;
  if (os === platform.os && (architecture === undefined || architecture === platform.architecture)) return;
  throw new PaddockError(
    `"${name}" has no image for ${describePlatform(platform)}, but one for ${JSON.stringify(`${os}/${architecture}`)}`,
  );
}
