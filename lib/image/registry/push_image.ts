/**
 * From the store into a registry: layers first, some at a time, then the configuration, and the manifest when all that it
 * names is there.
 *
 * What the repository has is not sent, and what another repository of the registry has is taken over from there.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import { blobPath, type ContentDigest, shorten } from "../content_digest.ts";
import type { BlobDescriptor, ImageDocumentBytes, ImageOrigin } from "../image_origin.ts";
import type { KeptTree } from "../kept_documents.ts";
import type { LayerFile, PushableImage, PushableLayer } from "../pushable_image.ts";
import { explainFailure } from "./failure.ts";
import type { RegistrySession } from "./session.ts";
import { type Begun, hasBlob, mountBlob, requireSameDigest, uploadBlob } from "./upload.ts";

/** Told how far one blob is. */
export interface BlobReport {
  /** The repository has it. */
  there(): void;
  /** @param from the repository that it was taken over from */
  mounted(from: string): void;
  pushing(bytes: number): void;
  pushed(): void;
}

/** Told how far a push is. */
export interface PushReport {
  /** One line for the user. */
  note(line: string): void;
  /** @param size bytes, packed */
  blob(digest: ContentDigest, size: number): BlobReport;
}

/** Where an image goes, and how. */
export interface PushOptions {
  readonly session: RegistrySession;
  /** A tag or a digest. */
  readonly wanted: string;
  /** What it must turn out to be; absent: anything. */
  readonly digest?: string;
  /** The name in full, for errors. */
  readonly name: string;
  /** Bytes of each request; absent: a layer in one. */
  readonly chunk?: number;
  /** Repositories of the registry that are known to have a blob. */
  readonly sourcesOf: (digest: ContentDigest) => readonly string[];
  readonly report: PushReport;
}

/** Blobs at a time, as docker has it. */
const AT_ONCE = 3;
/** Repositories that are asked for a blob. */
const MOST_SOURCES = 3;
const PUSH = { action: "pull,push" } as const;

/**
 * Pushes one image.
 *
 * @param directory absolute path of an empty one for what has to be packed.
 * @returns its manifest, as it is at the registry now.
 * @throws PaddockError where the registry does not take it; it has no tag there then.
 */
export async function pushImage(
  image: PushableImage,
  directory: string,
  options: PushOptions,
): Promise<ImageDocumentBytes> {
  const { name, report, session, wanted } = options;
  const pushed = new Map<string, Promise<BlobDescriptor & Pick<LayerFile, "diffId">>>();
  const pool = new Pool(AT_ONCE);
  const layers = await Promise.all(image.layers.map((layer, i) => {
    const key = layer.known?.digest ?? layer.diffId;
    const what = `"${name}": layer ${i + 1} of ${image.layers.length}`;
    const one = pushed.get(key) ?? pool.run(() => pushLayer(image, layer, `${directory}/${i}`, what, options));
    pushed.set(key, one);
    return one;
  }));
  const { config, manifest } = await image.describe(layers, (line) => report.note(line));
  requireWanted(options.digest, manifest.digest, name);
  const path = config.digest === image.id ? image.configPath : `${directory}/config.json`;
  if (config.digest !== image.id) Deno.writeFileSync(path, config.bytes, { mode: 0o600 });
  const blob = { digest: config.digest, mediaType: config.mediaType, size: config.bytes.length, path };
  await pushBlob(blob, () => Promise.resolve(blob), `"${name}": its configuration`, options);
  await putDocument(session, wanted, manifest, name);
  return manifest;
}

/**
 * Pushes an index with all images in it.
 *
 * @param tree all of which is kept.
 * @throws PaddockError as `pushImage`.
 */
export async function pushIndex(tree: KeptTree, dataRoot: string, options: PushOptions): Promise<ImageDocumentBytes> {
  const { name, session, wanted } = options;
  const index = tree.documents.at(-1)!;
  requireWanted(options.digest, index.digest, name);
  const pool = new Pool(AT_ONCE);
  await Promise.all(tree.blobs.map((blob) =>
    pool.run(() => {
      const file = { ...blob, path: `${dataRoot}/${blobPath(blob.digest)}` };
      return pushBlob(blob, () => Promise.resolve(file), `"${name}": blob ${shorten(blob.digest)}`, options);
    })
  ));
  for (const document of tree.documents) {
    await putDocument(session, document === index ? wanted : document.digest, document, name);
  }
  return index;
}

/** What was pushed, as it is noted of an image. */
export function originOf({ digest, mediaType, bytes }: ImageDocumentBytes, repository: string): ImageOrigin {
  return { manifest: { digest, mediaType, size: bytes.length }, repository };
}

async function pushLayer(
  image: PushableImage,
  layer: PushableLayer,
  directory: string,
  what: string,
  options: PushOptions,
): Promise<BlobDescriptor & Pick<LayerFile, "diffId">> {
  let { diffId } = layer;
  const open = async (): Promise<LayerFile> => {
    const file = await image.openLayer(layer, directory);
    diffId = file.diffId;
    return file;
  };
  const blob = await pushBlob(layer.known ?? await open(), open, what, options);
  return { ...blob, diffId };
}

/**
 * Sees to it that a blob is there.
 *
 * @param blob what it should be; a file, where it was made already.
 * @param open gives the file, which may turn out to be another blob.
 */
async function pushBlob<T extends BlobDescriptor & { readonly path?: string }>(
  blob: T,
  open: () => Promise<BlobDescriptor & { readonly path: string }>,
  what: string,
  options: PushOptions,
): Promise<BlobDescriptor> {
  const { session, report, chunk } = options;
  try {
    const progress = report.blob(blob.digest, blob.size);
    if (await hasBlob(session, blob)) {
      progress.there();
      return blob;
    }
    const found = await mountFromAny(blob, options);
    if (found.from !== undefined) {
      progress.mounted(found.from);
      return blob;
    }
    const { path } = blob;
    const file = path === undefined ? await open() : { ...blob, path };
    // It is not kept as it came.
    if (file.digest !== blob.digest) return await pushBlob(file, open, what, options);
    await uploadBlob(session, file, {
      what,
      onProgress: (bytes) => progress.pushing(bytes),
      ...(chunk === undefined ? {} : { chunk }),
      ...(found.begun === undefined ? {} : { begun: found.begun }),
    });
    progress.pushed();
    return blob;
  } catch (error) {
    throw explainFailure(error, what, session.endpoint.registry);
  }
}

async function mountFromAny(
  blob: BlobDescriptor,
  { session, sourcesOf }: PushOptions,
): Promise<{ readonly from?: string; readonly begun?: Begun }> {
  let begun: Begun | undefined;
  for (const from of sourcesOf(blob.digest).slice(0, MOST_SOURCES)) {
    const mounted = await mountBlob(session, blob, from);
    if (mounted === true) return { from };
    begun = mounted ?? begun;
  }
  return begun === undefined ? {} : { begun };
}

async function putDocument(
  session: RegistrySession,
  wanted: string,
  { mediaType, bytes, digest }: ImageDocumentBytes,
  name: string,
): Promise<void> {
  const { registry } = session.endpoint;
  try {
    const answer = await session.demand({
      ...PUSH,
      method: "PUT",
      path: `${session.base}/manifests/${wanted}`,
      headers: { "content-type": mediaType, "content-length": String(bytes.length) },
      body: bytes as Uint8Array<ArrayBuffer>,
      expect: [201, 200, 202],
    });
    answer.close();
    requireSameDigest(answer, digest, `"${name}": the manifest`, registry);
    if (answer.headers.get("docker-content-digest") !== null) return;
    // It does not say what it has got: is it there under its digest?
    const path = `${session.base}/manifests/${digest}`;
    (await session.demand({ ...PUSH, method: "HEAD", path, headers: { accept: mediaType } })).close();
  } catch (error) {
    throw explainFailure(error, `"${name}": the manifest`, registry);
  }
}

function requireWanted(wanted: string | undefined, digest: ContentDigest, name: string): void {
  if (wanted === undefined || wanted === digest) return;
  throw new PaddockError(`"${name}" is to have the digest ${wanted}, and the image's is ${digest}`, {
    hint: "name a tag: paddock push NAME REGISTRY/PATH:TAG",
  });
}

/** So many things at a time; after a failure nothing begins. */
class Pool {
  #running = 0;
  #hasFailed = false;
  readonly #waiting: (() => void)[] = [];

  constructor(private readonly most: number) {}

  async run<T>(body: () => Promise<T>): Promise<T> {
    if (this.#running >= this.most) await new Promise<void>((go) => this.#waiting.push(go));
    this.#running++;
    try {
      // The first failure is the one that is told.
      if (this.#hasFailed) throw new PaddockError("another layer could not be pushed");
      return await body();
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
    }
  }
}
