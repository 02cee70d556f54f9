/**
 * `paddock rmi`.
 *
 * @module
 */
import { EXIT, UsageError } from "../../base/errors.ts";
import { reportError } from "../report.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Removes images, each on its own: one that cannot be does not keep the others. */
export async function run(words: Words, host: Host): Promise<number> {
  if (words.positionals.length === 0) throw new UsageError("rmi needs NAME", { hint: "paddock images lists them" });
  const { removeImage } = await import("../../runtime/named_images.ts");
  const roots = readRoots(words, host);
  let failed = false;
  for (const name of words.positionals) {
    try {
      for (const gone of await removeImage(name, roots)) host.print(`${gone}\n`);
    } catch (error) {
      failed = true;
      host.warn(reportError(error, isOn(words, "debug")).text);
    }
  }
  return failed ? EXIT.failed : 0;
}
