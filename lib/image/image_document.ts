/**
 * The configuration of an image as a document (image-spec config.md): made, read, and added to. Pure, but for the time.
 *
 * @module
 */
import type { ImageConfig } from "../spec/image_config.ts";
import { encodeImageConfig } from "./image_config.ts";
import { JsonPlace, parseJson, readList, readObject } from "./json_place.ts";
import { thisPlatform } from "./platform.ts";

/** An image's configuration. What is not known here stays in it. */
export interface ImageDocument {
  readonly architecture?: string;
  readonly os?: string;
  readonly variant?: string;
  /** ISO 8601. */
  readonly created?: string;
  readonly author?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly rootfs: { readonly type: "layers"; readonly diff_ids: readonly string[] };
  readonly history?: readonly HistoryEntry[];
}

/** How a layer came about. */
export interface HistoryEntry {
  /** ISO 8601. */
  readonly created?: string;
  readonly created_by?: string;
  readonly author?: string;
  readonly comment?: string;
  readonly empty_layer?: boolean;
}

/** A step in the making of an image. */
export interface Step {
  /** What the image says from now on. */
  readonly config: ImageConfig;
  readonly createdBy: string;
  readonly author?: string;
  readonly comment?: string;
}

/** A layer that is added on top. */
export interface AddedLayer extends Step {
  readonly diffId: string;
}

/** An image of nothing, for this machine. */
export function newImageDocument(): ImageDocument {
  return { ...thisPlatform(Deno.build.arch), rootfs: { type: "layers", diff_ids: [] } };
}

/**
 * Reads a configuration.
 *
 * @param name the image's, for errors.
 * @throws PaddockError for what is none.
 */
export function parseImageDocument(text: string, name: string): ImageDocument {
  const at = new JsonPlace(`"${name}": the image's configuration`, "the image is damaged: copy or make it again");
  const value = readObject(parseJson(text, at), at);
  const rootfs = readObject(value.rootfs, at.child(".rootfs"));
  readList(rootfs.diff_ids, at.child(".rootfs.diff_ids"));
  if (value.history !== undefined && value.history !== null) {
    const here = at.child(".history");
    readList(value.history, here).forEach((entry, i) => readObject(entry, here.child(`[${i}]`)));
  }
  return value as unknown as ImageDocument;
}

/** The document with a layer more. Its time is now, or as SOURCE_DATE_EPOCH says (reproducible-builds.org). */
export function addHistory(document: ImageDocument, layer: AddedLayer): ImageDocument {
  const diffIds = [...document.rootfs.diff_ids, layer.diffId];
  return { ...addStep(document, layer, {}), rootfs: { type: "layers", diff_ids: diffIds } };
}

/** The document with another configuration and the same layers. */
export function changeDocument(document: ImageDocument, step: Step): ImageDocument {
  return addStep(document, step, { empty_layer: true });
}

function addStep(
  { history, author: _, ...document }: ImageDocument,
  { config, createdBy, author, comment }: Step,
  more: HistoryEntry,
): ImageDocument {
  const created = readNow();
  const said = author === undefined ? {} : { author };
  // A history that was not kept so far cannot be kept from here on: its entries stand for layers.
  const known = history ?? document.rootfs.diff_ids.map(() => ({}));
  const entry = { created, created_by: createdBy, ...said, ...(comment === undefined ? {} : { comment }), ...more };
  return { ...document, created, ...said, config: encodeImageConfig(config), history: [...known, entry] };
}

function readNow(): string {
  const epoch = Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? NaN);
  return (Number.isSafeInteger(epoch) ? new Date(epoch * 1000) : new Date()).toISOString();
}
