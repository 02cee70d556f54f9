/**
 * `paddock rename`.
 *
 * @module
 */
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";

/** Gives a container another name. */
export async function run(words: Words, host: Host): Promise<number> {
  const { renameContainer } = await import("../../runtime/rename.ts");
  const [from = "", to = ""] = words.positionals;
  renameContainer(from, to, readRoots(words, host));
  return 0;
}
