/**
 * `paddock import FILE NAME`: an image made of a tarball, as `docker import` makes it.
 *
 * @module
 */
import { changeImageConfig } from "../image/config_changes.ts";
import { parseImageConfig } from "../image/image_config.ts";
import { addHistory, changeDocument, newImageDocument, parseImageDocument } from "../image/image_document.ts";
import { nameImage } from "../image/image_index.ts";
import { ImageStore } from "../image/image_store.ts";
import { parseImageWord } from "../image/image_word.ts";
import { isLayout } from "../image/is_layout.ts";
import { isThere } from "../kernel/syscall.ts";
import type { Roots } from "../state/root.ts";
import { requireName } from "./commit.ts";
import { importPlace } from "./open_archive.ts";
import type { Voice } from "./voice.ts";

/** What the image is to be. */
export interface ImportRequest {
  /** As the user gives it; absent: an image without a name. */
  readonly name?: string;
  /** Instructions of a Dockerfile. */
  readonly changes: readonly string[];
  readonly message?: string;
}

/**
 * Imports a tarball as an image of one layer; an image in an archive keeps its layers, and takes the changes.
 *
 * @param path absolute, `-` for standard input, or `oci:DIRECTORY:TAG` and the like.
 * @returns the image's id.
 * @throws PaddockError for what cannot be read or stored.
 */
export async function importAsImage(
  path: string,
  { name, changes, message }: ImportRequest,
  { dataRoot }: Roots,
  voice: Voice,
): Promise<string> {
  const full = name === undefined ? undefined : requireName(name);
  // What makes no sense is told before the work.
  changeImageConfig({}, changes);
  using store = ImageStore.open(dataRoot);
  const form = path !== "-" && isLayout(path) ? "layout" : "archive";
  const { diffId, image } = await importPlace(store, parseImageWord(path, isThere) ?? { form, path }, voice);
  const comment = message === undefined ? {} : { comment: message };
  const document = image === undefined
    ? addHistory(newImageDocument(), {
      diffId,
      config: changeImageConfig({}, changes),
      createdBy: "",
      comment: message ?? `Imported from ${path}`,
    })
    : changeDocument(parseImageDocument(image.config, image.id), {
      config: changeImageConfig(parseImageConfig(image.config, image.id), changes),
      createdBy: changes.join("; "),
      ...comment,
    });
  const isSame = image !== undefined && changes.length === 0 && message === undefined;
  const config = isSame ? image.config : JSON.stringify(document);
  const id = await store.keepConfig(config);
  await nameImage(dataRoot, { id, config, names: [] }, full === undefined ? [] : [full]);
  return id;
}
