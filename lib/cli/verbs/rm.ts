/**
 * `paddock rm`.
 *
 * @module
 */
import { eachContainer } from "../each_container.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { isOn } from "../words.ts";

/** Removes containers. */
export async function run(words: Words, host: Host): Promise<number> {
  const { removeContainer } = await import("../../runtime/rm.ts");
  const roots = readRoots(words, host);
  return await eachContainer("rm", words, host, async (name) => {
    await removeContainer(name, { force: isOn(words, "force") }, roots, speakOn(host, words));
    return name;
  });
}
