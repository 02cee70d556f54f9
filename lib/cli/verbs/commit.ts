/**
 * `paddock commit`.
 *
 * @module
 */
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { allValues, lastValue } from "../words.ts";

/** Makes an image of a container, and prints its id. */
export async function run(words: Words, host: Host): Promise<number> {
  const [container = "", name] = words.positionals;
  const author = lastValue(words, "author");
  const message = lastValue(words, "message");
  const { commitContainer } = await import("../../runtime/commit.ts");
  const id = await commitContainer(
    container,
    {
      changes: allValues(words, "change"),
      pause: words.switches.get("pause") ?? true,
      ...(name === undefined ? {} : { name }),
      ...(author === undefined ? {} : { author }),
      ...(message === undefined ? {} : { message }),
    },
    readRoots(words, host),
    speakOn(host),
  );
  host.print(`${id}\n`);
  return 0;
}
