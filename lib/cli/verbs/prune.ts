/**
 * `paddock prune`.
 *
 * @module
 */
import { formatSize } from "../../base/sizes.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Removes images that nobody needs, and says which they were. */
export async function run(words: Words, host: Host): Promise<number> {
  const { pruneUnused } = await import("../../runtime/prune_images.ts");
  const pruned = await pruneUnused(readRoots(words, host), { all: isOn(words, "all") });
  if (isOn(words, "json")) host.print(`${JSON.stringify(pruned, null, 2)}\n`);
  else {
    for (const image of pruned.images) host.print(`${image}\n`);
    if (pruned.images.length > 0) host.print(`${pruned.layers.length} layers, ${formatSize(pruned.bytes)}\n`);
  }
  return 0;
}
