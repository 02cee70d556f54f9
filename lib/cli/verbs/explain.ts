/**
 * `paddock explain`.
 *
 * @module
 */
import { readRunOptions } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { isOn } from "../words.ts";

/** Prints what `run` would do. */
export async function run(words: Words, host: Host): Promise<number> {
  const options = readRunOptions(words, host);
  const { explainContainer } = await import("../../runtime/explain.ts");
  const form = { syscalls: isOn(words, "syscalls"), json: isOn(words, "json") };
  host.print(await explainContainer(options, form, speakOn(host)));
  return 0;
}
