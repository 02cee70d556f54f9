/**
 * `paddock inspect` and `history`: all that is known of images and containers, in docker's words.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { type HistoryEntry, parseImageDocument } from "../image/image_document.ts";
import { listNamedImages, type NamedImage } from "../image/image_index.ts";
import { ImageStore } from "../image/image_store.ts";
import { familiarName } from "../image/reference.ts";
import { listContainers, openContainer, type SeenContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import { describeContainer } from "./inspect_container.ts";
import { requireImage } from "./named_images.ts";

/** What is looked for; absent: a container first, then an image. */
export type InspectType = "container" | "image";

/** What docker's `inspect` tells of it, with its names of fields. @throws PaddockError where there is none */
export async function inspect(
  word: string,
  type: InspectType | undefined,
  roots: Roots,
): Promise<Record<string, unknown>> {
  if (type !== "image") {
    const container = type === "container" ? openContainer(roots, word) : findContainer(word, roots);
    if (container !== undefined) return describeContainer(container);
  }
  try {
    return await describeImage(requireImage(word, roots.dataRoot), roots);
  } catch (cause) {
    if (type !== undefined || !(cause instanceof PaddockError)) throw cause;
    throw new PaddockError(`no container and no image '${word}'`, {
      hint: "paddock ps -a and paddock images show those that there are",
      cause,
    });
  }
}

function findContainer(word: string, roots: Roots): SeenContainer | undefined {
  // One that is named by the beginning of its id is found as well, but only where that is no image.
  const all = listContainers(roots);
  return all.find(({ id, record }) => id === word || record?.name === word) ??
    (/^[0-9a-f]{12}$/.test(word) ? all.find(({ id }) => id.startsWith(word)) : undefined);
}

async function describeImage({ id, config }: NamedImage, { dataRoot }: Roots): Promise<Record<string, unknown>> {
  const document = parseImageDocument(config, id);
  const images = listNamedImages(dataRoot).filter((image) => image.id === id);
  const names = images.flatMap(({ name }) => name ?? []);
  using store = ImageStore.openThere(dataRoot);
  const image = await store?.findImage(id);
  const [top, ...below] = image?.lower.filter((path) => path !== image.init) ?? [];
  return {
    Id: id,
    RepoTags: names.filter((name) => !name.includes("@")).map(familiarName),
    RepoDigests: listDigests(images),
    Comment: document.history?.at(-1)?.comment ?? "",
    Created: document.created ?? "",
    Author: document.author ?? "",
    Architecture: document.architecture ?? "",
    ...(document.variant === undefined ? {} : { Variant: document.variant }),
    Os: document.os ?? "",
    Size: await sizeOf(store, id),
    Config: document.config ?? {},
    RootFS: { Type: "layers", Layers: document.rootfs.diff_ids },
    GraphDriver: {
      Name: "overlay2",
      Data: {
        ...(below.length === 0 ? {} : { LowerDir: below.join(":") }),
        ...(top === undefined ? {} : { UpperDir: top }),
      },
    },
    Metadata: { LastTagTime: images.map(({ loaded }) => loaded).sort().at(-1) ?? "" },
  };
}

/** As `NAME@DIGEST`: what it was asked for by, and what it was where it came from or went to. */
function listDigests(images: readonly NamedImage[]): string[] {
  const asked = images.flatMap(({ name }) => name?.includes("@") ? [name.replace(/:[^:@/]+@/, "@")] : []);
  const known = images.flatMap(({ origin }) =>
    origin?.repository === undefined ? [] : [`${origin.repository}@${origin.index ?? origin.manifest.digest}`]
  );
  return [...new Set([...asked, ...known].map(familiarName))];
}

async function sizeOf(store: ImageStore | undefined, id: NamedImage["id"]): Promise<number> {
  const chain = await store?.listChain(id) ?? [];
  return chain.reduce((sum, layer) => sum + (store!.layers.readRecord(layer)?.bytes ?? 0), 0);
}

/** A line of an image's history. */
export interface HistoryLine {
  /** Of the image itself; absent for the lines below its last one. */
  readonly id?: string;
  /** ISO 8601; empty where the image does not say. */
  readonly created: string;
  readonly createdBy: string;
  /** Bytes of files in its layer. */
  readonly size: number;
  readonly comment: string;
}

/** How an image came about, the last step first. @throws PaddockError where there is none of that name */
export async function readHistory(word: string, { dataRoot }: Roots): Promise<HistoryLine[]> {
  const { id, config } = requireImage(word, dataRoot);
  const { history, rootfs } = parseImageDocument(config, id);
  using store = ImageStore.openThere(dataRoot);
  const chain = await store?.listChain(id) ?? [];
  const sizes = chain.map((layer) => store?.layers.readRecord(layer)?.bytes ?? 0);
  const entries: readonly HistoryEntry[] = history ?? rootfs.diff_ids.map(() => ({}));
  let layer = 0;
  const lines = entries.map((entry): HistoryLine => ({
    created: String(entry.created ?? ""),
    createdBy: String(entry.created_by ?? ""),
    size: entry.empty_layer === true ? 0 : sizes[layer++] ?? 0,
    comment: String(entry.comment ?? ""),
  }));
  return lines.reverse().map((line, i) => i === 0 ? { id, ...line } : line);
}
