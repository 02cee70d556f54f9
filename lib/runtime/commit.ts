/**
 * `paddock commit`: what a container has changed becomes a layer, over the image that the container was made of.
 *
 * ```
 * upper directory ─ exportLayer ─▶ archive ─ LayerStore.lookupOrAdd ─▶ layer ─┐
 * image's configuration, the container's, --change ─▶ configuration ──────────┴─▶ image
 * ```
 *
 * @module
 */
import { PaddockError, UsageError } from "../base/errors.ts";
import { changeImageConfig } from "../image/config_changes.ts";
import { exportLayer } from "../image/export.ts";
import { addHistory, type ImageDocument, newImageDocument, parseImageDocument } from "../image/image_document.ts";
import { nameImage } from "../image/image_index.ts";
import { ImageStore } from "../image/image_store.ts";
import type { StoredLayer } from "../image/layer_catalog.ts";
import { chainOfPath } from "../image/layer_names.ts";
import { LowerTree } from "../image/lower_tree.ts";
import { completeName, parseReference } from "../image/reference.ts";
import { openSpool } from "../image/source.ts";
import { openDirectory } from "../kernel/fs.ts";
import { openMerged } from "../kernel/merged.ts";
import { openContainer, type SeenContainer } from "../state/container.ts";
import { recordEvent } from "../state/journal.ts";
import type { ContainerRecord, IdRange } from "../state/record.ts";
import type { Roots } from "../state/root.ts";
import { whilePaused } from "./pause.ts";
import type { Voice } from "./voice.ts";

/** What `commit` is told. */
export interface CommitRequest {
  /** As the user gives it; absent: an image without a name. */
  readonly name?: string;
  /** Instructions of a Dockerfile. */
  readonly changes: readonly string[];
  readonly author?: string;
  readonly message?: string;
  /** Hold the container still meanwhile. */
  readonly pause: boolean;
}

/**
 * Makes an image of a container.
 *
 * @returns its id: `sha256:HEX`.
 * @throws PaddockError where there is no such container, or no image can be made of it.
 */
export async function commitContainer(
  word: string,
  request: CommitRequest,
  roots: Roots,
  voice: Voice,
): Promise<string> {
  const name = request.name === undefined ? undefined : requireName(request.name);
  const container = openContainer(roots, word);
  const record = requireRecord(container);
  const config = changeImageConfig(record.imageConfig ?? {}, request.changes);
  using store = ImageStore.open(roots.dataRoot);
  const below = await findBelow(store, record);
  const make = (): Promise<StoredLayer> => makeLayer(store, record, below?.layer, voice);
  const layer = request.pause ? await whilePaused(container, make) : await make();
  const document = addHistory(below?.document ?? newImageDocument(), {
    diffId: layer.diffId,
    config,
    createdBy: record.command.join(" "),
    ...(request.author === undefined ? {} : { author: request.author }),
    ...(request.message === undefined ? {} : { comment: request.message }),
  });
  const text = JSON.stringify(document);
  const id = await store.keepConfig(text);
  await nameImage(roots.dataRoot, { id, config: text, names: [] }, name === undefined ? [] : [name]);
  recordEvent(roots.root, "commit", record, { imageID: id });
  return id;
}

/** A name in full for a new image. @throws UsageError for what can be none */
export function requireName(word: string): string {
  const name = completeName(word);
  if (name === undefined) {
    throw new UsageError(`'${word}' can be no image's name`, {
      hint: "names are like web:1 and registry.example/web:1",
    });
  }
  if (parseReference(word)?.digest !== undefined) {
    throw new UsageError(`'${word}': a digest follows from an image, and is not given to it`);
  }
  return name;
}

function requireRecord({ id, record }: SeenContainer): ContainerRecord {
  if (record?.bundle !== undefined) {
    throw new PaddockError(`container '${id}' was created from a bundle, of whose image paddock knows nothing`, {
      hint: "commit it with the engine that created it",
    });
  }
  if (record === undefined || (record.layers ?? []).length === 0) {
    throw new PaddockError(`container '${id}' has no files that an image could be made of`);
  }
  if (record.image === "host") {
    throw new PaddockError(`container '${id}' is a copy of this host, which is no image`, {
      hint: "paddock diff shows what it has changed, and export writes its files",
    });
  }
  return record;
}

/** What a container is made of: the image below its upper directory. */
interface Below {
  readonly layer: StoredLayer;
  readonly document: ImageDocument;
}

/** Undefined for a container of a directory: of that all files become one layer. */
async function findBelow(store: ImageStore, record: ContainerRecord): Promise<Below | undefined> {
  const paths = record.layers!.slice(1);
  const chain = paths.map((path) => chainOfPath(store.dataRoot, path)).find((found) => found !== undefined);
  if (chain === undefined) return undefined;
  const layer = store.layers.describe(chain);
  const image = record.imageId === undefined ? undefined : await store.findImage(record.imageId as `sha256:${string}`);
  if (layer === undefined || (record.imageId !== undefined && image === undefined)) {
    throw new PaddockError(`the image of container '${record.id}' is not in the store any more`);
  }
  const document = image?.image === undefined
    ? addHistory(newImageDocument(), { diffId: layer.diffId, config: {}, createdBy: `import of ${record.image}` })
    : parseImageDocument(image.image.config, image.image.id);
  return { layer, document };
}

async function makeLayer(
  store: ImageStore,
  record: ContainerRecord,
  below: StoredLayer | undefined,
  voice: Voice,
): Promise<StoredLayer> {
  return await store.layers.withDirectory(async (directory) => {
    const path = `${directory}/layer.tar`;
    writeLayer(path, record, below, voice);
    const open = () => Promise.resolve(openSpool(path, `container ${record.id}`));
    const layer = below === undefined
      ? await addWhole(store, path, record)
      : await store.layers.lookupOrAdd({ open }, below, {});
    layer.warnings.forEach((warning) => voice.note(warning));
    return layer;
  });
}

async function addWhole(store: ImageStore, path: string, record: ContainerRecord): Promise<StoredLayer> {
  using archive = openSpool(path, `container ${record.id}`);
  return await store.layers.addRootfs(archive, {});
}

/** Writes what the container has changed, or of one of a directory all that it sees. */
function writeLayer(path: string, record: ContainerRecord, below: StoredLayer | undefined, voice: Voice): void {
  const layers = record.layers!;
  using lower = new LowerTree(below?.lower.filter((directory) => directory !== below.init) ?? []);
  using root = below === undefined ? openMerged(layers) : openDirectory(layers[0]!);
  using file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
  exportLayer(root.number, (bytes) => {
    for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
  }, {
    lower,
    openMerged: () => openMerged(layers, true),
    hasNamedMarks: record.layering === "fuse",
    ...(record.ids === undefined ? {} : { ids: { uid: mapBack(record.ids.uid), gid: mapBack(record.ids.gid) } }),
    note: (line) => voice.note(line),
  });
}

/** From ids on disk to those in the container; what is none of the container's stays. */
function mapBack({ containerID, hostID, size }: IdRange): (id: number) => number {
  return (id) => id >= hostID && id < hostID + size ? id - hostID + containerID : id;
}
