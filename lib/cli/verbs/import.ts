/**
 * `paddock import`.
 *
 * @module
 */
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { resolveHostPath } from "../values/flag.ts";
import { readRegistryOptions } from "../values/registry.ts";
import { speakOn } from "../voice.ts";
import { allValues, lastValue } from "../words.ts";

/** Unpacks a tarball or an image into the store and prints its digest. */
export async function run(words: Words, host: Host): Promise<number> {
  const [given = "", name] = words.positionals;
  // What begins with a word and a colon is no path yet.
  const source = /^(-$|[a-z-]+:)/.test(given) ? given : resolveHostPath(given, host);
  const changes = allValues(words, "change");
  const message = lastValue(words, "message");
  if (name !== undefined || changes.length > 0 || message !== undefined) {
    const { importAsImage } = await import("../../runtime/import_as_image.ts");
    const request = { changes, ...(name === undefined ? {} : { name }), ...(message === undefined ? {} : { message }) };
    host.print(`${await importAsImage(source, request, readRoots(words, host), speakOn(host))}\n`);
    return 0;
  }
  const { importWord } = await import("../../runtime/import.ts");
  const registry = readRegistryOptions(words, host) ?? {};
  host.print(`${await importWord(given, source, readRoots(words, host), registry, speakOn(host))}\n`);
  return 0;
}
