/**
 * `paddock load`.
 *
 * @module
 */
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { resolveHostPath } from "../values/flag.ts";
import { speakOn } from "../voice.ts";
import { isOn, lastValue } from "../words.ts";

/** Loads the images of an archive, and prints their names; the id of one without a name. */
export async function run(words: Words, host: Host): Promise<number> {
  const given = lastValue(words, "input") ?? "-";
  const source = given === "-" ? given : resolveHostPath(given, host);
  const { loadImages } = await import("../../runtime/named_images.ts");
  for (const { id, names } of await loadImages(source, readRoots(words, host), speakOn(host))) {
    const shown = isOn(words, "quiet") || names.length === 0 ? [id] : names;
    for (const name of shown) host.print(`${name}\n`);
  }
  return 0;
}
