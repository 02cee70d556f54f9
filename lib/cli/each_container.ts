/**
 * Verbs that do one thing to each of the containers that are named.
 *
 * @module
 */
import { EXIT, UsageError } from "../base/errors.ts";
import { reportError } from "./report.ts";
import type { Host, Words } from "./types.ts";
import { isOn } from "./words.ts";

/**
 * Does it to each on its own: one that fails does not keep the others.
 *
 * @param body gives the line that is printed for it.
 * @returns the exit code.
 */
export async function eachContainer(
  verb: string,
  words: Words,
  host: Host,
  body: (name: string) => Promise<string>,
): Promise<number> {
  if (words.positionals.length === 0) {
    throw new UsageError(`${verb} needs CONTAINER`, { hint: "paddock ps -a lists them" });
  }
  let failed = false;
  for (const name of words.positionals) {
    try {
      host.print(`${await body(name)}\n`);
    } catch (error) {
      failed = true;
      host.warn(reportError(error, isOn(words, "debug")).text);
    }
  }
  return failed ? EXIT.failed : 0;
}
