/**
 * `paddock run`.
 *
 * @module
 */
import type { RunOptions } from "../../spec/run_options.ts";
import { readRunOptions } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";

/** Runs the container in the foreground; the exit code is its command's. */
export async function run(words: Words, host: Host): Promise<number> {
  const options = withTerminal(readRunOptions(words, host), words);
  const { runContainer } = await import("../../runtime/run.ts");
  return await runContainer(options, speakOn(host));
}

/** A command that is started from a terminal is at a terminal, unless the user has said what they want. */
function withTerminal(options: RunOptions, { switches }: Words): RunOptions {
  const said = switches.has("tty") || switches.has("interactive");
  return said || !Deno.stdin.isTerminal() || !Deno.stdout.isTerminal() ? options : { ...options, tty: true };
}
