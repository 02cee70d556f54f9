/**
 * `paddock inspect`.
 *
 * @module
 */
import { EXIT, UsageError } from "../../base/errors.ts";
import type { InspectType } from "../../runtime/inspect.ts";
import { formatByTemplate } from "../go_template.ts";
import { reportError } from "../report.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn, lastValue } from "../words.ts";

/** Prints what is known of images and containers; of those that there are, where one is not. */
export async function run(words: Words, host: Host): Promise<number> {
  if (words.positionals.length === 0) {
    throw new UsageError("inspect needs NAME", { hint: "paddock images and paddock ps -a list what there is" });
  }
  const { inspect } = await import("../../runtime/inspect.ts");
  const type = lastValue(words, "type") as InspectType | undefined;
  const template = lastValue(words, "format");
  const found: unknown[] = [];
  let failed = false;
  for (const word of words.positionals) {
    try {
      found.push(await inspect(word, type, readRoots(words, host)));
    } catch (error) {
      failed = true;
      host.warn(reportError(error, isOn(words, "debug")).text);
    }
  }
  if (template === undefined) host.print(`${JSON.stringify(found, null, 4)}\n`);
  else for (const value of found) host.print(`${formatByTemplate(template, value)}\n`);
  return failed ? EXIT.failed : 0;
}
