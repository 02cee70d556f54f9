/**
 * `paddock import`.
 *
 * @module
 */
import { readRoots } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { resolveHostPath } from "../values/flag.ts";
import { readRegistryOptions } from "../values/registry.ts";
import { speakOn } from "../voice.ts";

/** Unpacks a tarball or an image into the store and prints its digest. */
export async function run(words: Words, host: Host): Promise<number> {
  const [given = ""] = words.positionals;
  // What begins with a word and a colon is no path yet.
  const source = /^(-$|[a-z-]+:)/.test(given) ? given : resolveHostPath(given, host);
  const { importWord } = await import("../../runtime/import.ts");
  const registry = readRegistryOptions(words, host) ?? {};
  host.print(`${await importWord(given, source, readRoots(words, host), registry, speakOn(host))}\n`);
  return 0;
}
