/**
 * `paddock explain`.
 *
 * @module
 */
import { readRunOptions } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Prints what `run` would do. */
export async function run(words: Words, host: Host): Promise<number> {
  const options = readRunOptions(words, host);
  const { explainContainer } = await import("../../runtime/explain.ts");
  host.print(await explainContainer(options, { syscalls: isOn(words, "syscalls"), json: isOn(words, "json") }));
  return 0;
}
