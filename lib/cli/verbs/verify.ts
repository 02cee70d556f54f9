/**
 * `paddock verify`.
 *
 * @module
 */
import { escapeControl } from "../../base/text.ts";
import type { Verified } from "../../runtime/verify.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { isOn } from "../words.ts";

/** Compares images with what they were; fails with 1 where something is damaged. */
export async function run(words: Words, host: Host): Promise<number> {
  const { verifyStore } = await import("../../runtime/verify.ts");
  const found = await verifyStore(words.positionals, readRoots(words, host), speakOn(host));
  const shown = isOn(words, "quiet") ? found.filter(({ state }) => state === "damaged") : found;
  host.print(isOn(words, "json") ? `${JSON.stringify(shown, null, 2)}\n` : formatVerified(shown));
  return found.some(({ state }) => state === "damaged") ? 1 : 0;
}

/** A line for each thing, and one for each thing that is wrong with it. */
function formatVerified(found: readonly Verified[]): string {
  const lines = found.flatMap(({ kind, what, state, problems }) => [
    `${state.padEnd(7)}  ${kind.padEnd(5)}  ${what}`,
    ...problems.map((problem) => `  ${problem}`),
  ]);
  return lines.map((line) => `${escapeControl(line)}\n`).join("");
}
