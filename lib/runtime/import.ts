/**
 * `paddock import`: a tarball or an image into the store, ahead of its first run.
 *
 * @module
 */
import { parseImageWord } from "../image/image_word.ts";
import { isLayout } from "../image/is_layout.ts";
import { ImageStore } from "../image/image_store.ts";
import { completeName } from "../image/reference.ts";
import { isThere } from "../kernel/syscall.ts";
import type { RegistryOptions } from "../spec/registry_options.ts";
import type { Roots } from "../state/root.ts";
import { importPlace } from "./open_archive.ts";
import { looksLikeFile } from "./open_name.ts";
import type { Voice } from "./voice.ts";

/**
 * @param word a path, `-` for standard input, `oci:DIRECTORY:TAG` and the like, or the name of an image at a registry.
 * @param path the same as a path, absolute.
 * @returns the digest of an unpacked tarball, or the id of an image: `sha256:HEX`.
 * @throws PaddockError for what cannot be read or stored.
 */
export async function importWord(
  word: string,
  path: string,
  roots: Roots,
  registry: RegistryOptions,
  voice: Voice,
): Promise<string> {
  if (word !== "-" && !isThere(path) && parseImageWord(word, isThere) === undefined && mayBePulled(word)) {
    const { pullByName } = await import("./pull.ts");
    return (await pullByName(word, roots.dataRoot, registry, voice)).image!.id;
  }
  return await importPath(path, roots, voice);
}

/** A path begins with one of these, and a name never does. */
function mayBePulled(word: string): boolean {
  return !/^[./~]/.test(word) && completeName(word) !== undefined && !looksLikeFile(word);
}

async function importPath(word: string, roots: Roots, voice: Voice): Promise<string> {
  const form = word !== "-" && isLayout(word) ? "layout" : "archive";
  const place = parseImageWord(word, isThere) ?? { form, path: word };
  using store = ImageStore.open(roots.dataRoot);
  const { diffId, image } = await importPlace(store, place, voice);
  return image?.id ?? diffId;
}
