/**
 * `paddock run`.
 *
 * @module
 */
import { readRunOptions } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";

/** Runs the container in the foreground; the exit code is its command's. */
export async function run(words: Words, host: Host): Promise<number> {
  const options = readRunOptions(words, host);
  const { runContainer } = await import("../../runtime/run.ts");
  return await runContainer(options, speakOn(host));
}
