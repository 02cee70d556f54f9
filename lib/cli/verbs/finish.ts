/**
 * `paddock finish`, which a launcher executes when there is something to tell or to clean.
 *
 * @module
 */
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { isOn, lastValue } from "../words.ts";

/** Explains and cleans up the end of a container; the exit code is the container's. */
export async function run(words: Words, host: Host): Promise<number> {
  const { finishContainer } = await import("../../runtime/finish.ts");
  const roots = readRoots(words, host);
  const session = lastValue(words, "session");
  if (session !== undefined) {
    const { finishExec } = await import("../../runtime/finish_exec.ts");
    return finishExec(words.positionals[0] ?? "", session, roots, speakOn(host));
  }
  const options = { trace: isOn(words, "trace"), created: isOn(words, "created"), remove: isOn(words, "delete") };
  return await finishContainer(words.positionals[0] ?? "", roots, options, speakOn(host, words));
}
