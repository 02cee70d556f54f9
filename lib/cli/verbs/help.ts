/**
 * `paddock help`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { didYouMean } from "../../base/text.ts";
import { findCommand, listShown } from "../commands.ts";
import { formatHelp, formatStartPage } from "../help.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Prints the start page, a verb's help, or the manual page. */
export async function run(words: Words, host: Host): Promise<number> {
  const [name] = words.positionals;
  if (isOn(words, "man")) {
    const { formatManual } = await import("../manual.ts");
    host.print(formatManual());
  } else host.print(name === undefined ? formatStartPage() : formatHelp(demand(name)));
  return 0;
}

function demand(name: string): NonNullable<ReturnType<typeof findCommand>> {
  const command = findCommand(name);
  if (command !== undefined) return command;
  const hint = didYouMean(name, listShown().map((shown) => shown.name)) ?? "see: paddock help";
  throw new UsageError(`unknown verb '${name}'`, { hint });
}
