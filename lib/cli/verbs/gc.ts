/**
 * `paddock gc`.
 *
 * @module
 */
import { escapeControl } from "../../base/text.ts";
import { readRoots } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Removes what crashes have left, and says what it was. */
export async function run(words: Words, host: Host): Promise<number> {
  const { collectGarbage } = await import("../../runtime/gc.ts");
  const removed = await collectGarbage(readRoots(words, host));
  if (isOn(words, "json")) host.print(`${JSON.stringify(removed, null, 2)}\n`);
  else host.print(removed.map((line: string) => `removed ${escapeControl(line)}\n`).join(""));
  return 0;
}
