/**
 * `paddock wait`.
 *
 * @module
 */
import { eachContainer } from "../each_container.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";

/** Waits for containers, one after the other, and prints the exit code of each. */
export async function run(words: Words, host: Host): Promise<number> {
  const { waitForContainer } = await import("../../runtime/wait.ts");
  const roots = readRoots(words, host);
  return await eachContainer("wait", words, host, async (name) => `${await waitForContainer(name, roots)}`);
}
