/**
 * `paddock import`.
 *
 * @module
 */
import { readRoots } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { resolveHostPath } from "../values/flag.ts";
import { speakOn } from "../voice.ts";

/** Unpacks a tarball into the store and prints its digest. */
export async function run(words: Words, host: Host): Promise<number> {
  const [given = ""] = words.positionals;
  const source = given === "-" ? given : resolveHostPath(given, host);
  const { importTarball } = await import("../../runtime/import.ts");
  host.print(`${await importTarball(source, readRoots(words, host), speakOn(host))}\n`);
  return 0;
}
