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
  let readMore = false;
  const options = readRunOptions(words, {
    ...host,
    readText: (path) => {
      readMore = true;
      return host.readText(path);
    },
    env: (name) => {
      readMore ||= name !== "HOME";
      return host.env(name);
    },
  });
  const terminal = beginsAtTerminal(words);
  const { runContainer } = await import("../../runtime/run.ts");
  return await runContainer(
    terminal ? { ...options, tty: true } : options,
    { readMore, ...(terminal === undefined ? {} : { terminal }) },
    speakOn(host),
  );
}

/** A command that is started from a terminal is at a terminal; undefined where the user has said what they want. */
function beginsAtTerminal({ switches }: Words): boolean | undefined {
  const said = switches.has("tty") || switches.has("interactive");
  return said ? undefined : Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
}
