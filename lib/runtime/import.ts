/**
 * `paddock import`: a tarball or an image into the store, ahead of its first run.
 *
 * @module
 */
import { parseImageWord } from "../image/image_word.ts";
import { isLayout } from "../image/is_layout.ts";
import { ImageStore } from "../image/image_store.ts";
import { isThere } from "../kernel/syscall.ts";
import type { Roots } from "../state/root.ts";
import { importPlace } from "./open_archive.ts";
import type { Voice } from "./voice.ts";

/**
 * @param word a path, `-` for standard input, or `oci:DIRECTORY:TAG` and the like.
 * @returns the digest of an unpacked tarball, or the id of an image: `sha256:HEX`.
 * @throws PaddockError for what cannot be read or stored.
 */
export async function importWord(word: string, roots: Roots, voice: Voice): Promise<string> {
  const form = word !== "-" && isLayout(word) ? "layout" : "archive";
  const place = parseImageWord(word, isThere) ?? { form, path: word };
  using store = ImageStore.open(roots.dataRoot);
  const { diffId, image } = await importPlace(store, place, voice);
  return image?.id ?? diffId;
}
