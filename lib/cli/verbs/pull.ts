/**
 * `paddock pull`.
 *
 * @module
 */
import { completeCredentials } from "../credentials.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readRegistryOptions } from "../values/registry.ts";
import { speakOn, stayQuiet } from "../voice.ts";
import { isOn } from "../words.ts";

/** Pulls an image, and prints its id. */
export async function run(words: Words, host: Host): Promise<number> {
  const [word = ""] = words.positionals;
  const options = await completeCredentials(readRegistryOptions(words, host) ?? {});
  const { dataRoot } = readRoots(words, host);
  const { pullByName } = await import("../../runtime/pull.ts");
  const voice = isOn(words, "quiet") ? stayQuiet() : speakOn(host);
  const { image } = await pullByName(word, dataRoot, options, voice);
  host.print(`${image!.id}\n`);
  return 0;
}
