/**
 * `paddock tag`.
 *
 * @module
 */
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";

/** Gives an image one more name. */
export async function run(words: Words, host: Host): Promise<number> {
  const [image = "", name = ""] = words.positionals;
  const { tagImage } = await import("../../runtime/tag.ts");
  await tagImage(image, name, readRoots(words, host));
  return 0;
}
