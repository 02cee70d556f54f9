/**
 * `paddock completion`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { didYouMean } from "../../base/text.ts";
import { COMPLETIONS } from "../completion.ts";
import type { Host, Words } from "../types.ts";

/** Prints the completion script for a shell. */
export function run(words: Words, host: Host): Promise<number> {
  const [shell = ""] = words.positionals;
  const format = Object.hasOwn(COMPLETIONS, shell) ? COMPLETIONS[shell] : undefined;
  if (format === undefined) {
    const shells = Object.keys(COMPLETIONS);
    throw new UsageError(`no completion for '${shell}'`, {
      hint: didYouMean(shell, shells) ?? `there is one for ${shells.join(", ")}`,
    });
  }
  host.print(format());
  return Promise.resolve(0);
}
