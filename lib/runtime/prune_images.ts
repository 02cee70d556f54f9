/**
 * Removes unpacked layers that no image with a name and no container needs. Only when asked: a tarball that was run is
 * unpacked so that it need not be the next time.
 *
 * A container may begin while this looks. So a layer is first taken out of sight, then the containers are looked at
 * (a launcher writes its record before it mounts), and a layer that one of them needs is put back.
 *
 * @module
 */
import { isDocument, listBlobs, removeBlob } from "../image/blobs.ts";
import type { ContentDigest } from "../image/content_digest.ts";
import { listDownloads } from "../image/download_directory.ts";
import { listKeptDocuments, listNamedImages, type Orphans, showName, unnameImages } from "../image/image_index.ts";
import { readPacked } from "../image/image_origin.ts";
import { ImageStore } from "../image/image_store.ts";
import { readKeptTree } from "../image/kept_documents.ts";
import { chainOfPath } from "../image/layer_names.ts";
import { isThere } from "../kernel/syscall.ts";
import { listContainers } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import type { Leftover } from "./gc.ts";

/** What may go. */
export interface Pruning {
  /** Only look. */
  readonly dryRun?: boolean;
  /** Images that have gone: only what was theirs goes. Absent: all that nobody needs. */
  readonly of?: Orphans;
}

/** @throws PaddockError where the store or the state of containers cannot be read. */
export async function pruneImages(roots: Roots, { dryRun = false, of }: Pruning = {}): Promise<Leftover[]> {
  if (!isThere(`${roots.dataRoot}/layers/sha256`)) return [];
  using store = ImageStore.openAlone(roots.dataRoot);
  const named = listNamedImages(roots.dataRoot).map(({ id }) => id);
  const needed = new Set((await Promise.all(named.map((id) => store.listChain(id)))).flat());
  const candidates = of === undefined
    ? store.layers.list()
    : [...new Set((await Promise.all(of.ids.map((id) => store.listChain(id)))).flat())];
  const isUsed = (chainId: string): boolean => listUsed(roots).has(chainId);
  const why = "no image with a name and no container needs it";
  const downloads = of === undefined ? removeDownloads(roots.dataRoot, dryRun) : [];
  // The topmost first: what lies below is needed by what lies above.
  const packed = new Map(candidates.map((chainId) => [chainId, readPacked(roots.dataRoot, chainId)?.digest]));
  const layers = candidates.reverse().filter((chainId) => !needed.has(chainId)).flatMap((chainId): Leftover[] => {
    const isGone = dryRun ? !isUsed(chainId) : store.layers.removeUnless(chainId, isUsed);
    return isGone ? [{ kind: "layer", what: chainId, why, problems: [] }] : [];
  });
  const gone = new Set(layers.map(({ what }) => what));
  return [...layers, ...downloads, ...await pruneBlobs(store, roots, { packed, gone, of, dryRun })];
}

interface BlobPruning {
  /** Of the layers that were looked at, the blob that each came as. */
  readonly packed: ReadonlyMap<string, ContentDigest | undefined>;
  /** Those of them that have gone. */
  readonly gone: ReadonlySet<string>;
  readonly of: Orphans | undefined;
  readonly dryRun: boolean;
}

/**
 * Removes documents and packed layers that no image and no layer needs.
 *
 * @returns packed layers; documents, and what a layer that has gone came as, go without saying.
 */
async function pruneBlobs(
  store: ImageStore,
  roots: Roots,
  { packed, gone, of, dryRun }: BlobPruning,
): Promise<Leftover[]> {
  const { dataRoot } = roots;
  const needed = new Set<string>(await listNamedBlobs(dataRoot));
  for (const { record } of listContainers(roots)) if (record?.imageId !== undefined) needed.add(record.imageId);
  for (const chainId of store.layers.list()) {
    if (!gone.has(chainId)) needed.add(readPacked(dataRoot, chainId)?.digest ?? "");
  }
  const candidates = of === undefined ? listBlobs(dataRoot) : [
    ...of.ids,
    ...await listTrees(dataRoot, of.documents),
    ...[...gone].flatMap((chainId) => packed.get(chainId) ?? []),
  ];
  const said = new Set([...gone].map((chainId) => packed.get(chainId)));
  return [...new Set(candidates)].filter((digest) => !needed.has(digest)).flatMap((digest): Leftover[] => {
    const isSilent = said.has(digest) || isDocument(dataRoot, digest);
    if ((!dryRun && !removeBlob(dataRoot, digest)) || isSilent) return [];
    return [{ kind: "blob", what: digest, why: "no image with a name and no layer needs it", problems: [] }];
  });
}

/** All that images with a name name in turn. */
async function listNamedBlobs(dataRoot: string): Promise<ContentDigest[]> {
  const ids = listNamedImages(dataRoot).map(({ id }) => id);
  return [...ids, ...await listTrees(dataRoot, listKeptDocuments(dataRoot))];
}

async function listTrees(dataRoot: string, roots: readonly ContentDigest[]): Promise<ContentDigest[]> {
  const found: ContentDigest[] = [];
  for (const digest of new Set(roots)) {
    const { documents, blobs } = await readKeptTree(dataRoot, { digest });
    found.push(digest, ...[...documents, ...blobs].map((part) => part.digest));
  }
  return found;
}

/** What downloads have left. Nobody pulls while the store is ours alone. */
function removeDownloads(dataRoot: string, dryRun: boolean): Leftover[] {
  return listDownloads(dataRoot).map((path) => {
    if (!dryRun) Deno.removeSync(path);
    return {
      kind: "import",
      what: path,
      why: "the download was cut off: the next pull would go on there",
      problems: [],
    };
  });
}

/** What a pruning took. */
export interface PrunedImages {
  /** What the images were called. */
  readonly images: readonly string[];
  readonly layers: readonly string[];
  /** Bytes of files in those layers. */
  readonly bytes: number;
}

/**
 * Removes images without a name that no container is made of, and with `all` those with names as well; with each the
 * layers that nobody else needs.
 *
 * @throws PaddockError where the store cannot be changed.
 */
export async function pruneUnused(roots: Roots, { all }: { readonly all: boolean }): Promise<PrunedImages> {
  const used = new Set(listContainers(roots).flatMap(({ record }) => record?.imageId ?? []));
  const images: string[] = [];
  const orphans = unnameImages(roots.dataRoot, ({ name, id }) => {
    const goes = !used.has(id) && (all || name === undefined);
    if (goes) images.push(showName({ ...(name === undefined ? {} : { name }), id }));
    return goes;
  });
  const sizes = await readSizes(roots.dataRoot, orphans.ids);
  const layers = orphans.ids.length === 0 ? [] : (await pruneImages(roots, { of: orphans })).map(({ what }) => what);
  return { images, layers, bytes: layers.reduce((sum, layer) => sum + (sizes.get(layer) ?? 0), 0) };
}

async function readSizes(dataRoot: string, ids: readonly ContentDigest[]): Promise<Map<string, number>> {
  using store = ImageStore.openThere(dataRoot);
  const layers = await Promise.all(ids.map(async (id) => await store?.listChain(id) ?? []));
  return new Map(layers.flat().map((layer) => [layer, store?.layers.readRecord(layer)?.bytes ?? 0]));
}

/** Layers that containers are made of, running ones and kept ones. */
function listUsed(roots: Roots): Set<string> {
  const layers = listContainers(roots).flatMap(({ record }) => record?.layers ?? []);
  return new Set(layers.flatMap((path) => chainOfPath(roots.dataRoot, path) ?? []));
}
