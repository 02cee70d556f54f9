/**
 * `paddock rm`.
 *
 * @module
 */
import { EXIT, UsageError } from "../../base/errors.ts";
import { reportError } from "../report.ts";
import { readRoots } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { isOn } from "../words.ts";

/** Removes containers, each on its own: one that cannot be does not keep the others. */
export async function run(words: Words, host: Host): Promise<number> {
  if (words.positionals.length === 0) throw new UsageError("rm needs CONTAINER", { hint: "paddock ps -a lists them" });
  const { removeContainer } = await import("../../runtime/rm.ts");
  const roots = readRoots(words, host);
  let failed = false;
  for (const name of words.positionals) {
    try {
      await removeContainer(name, { force: isOn(words, "force") }, roots, speakOn(host));
      host.print(`${name}\n`);
    } catch (error) {
      failed = true;
      host.warn(reportError(error, isOn(words, "debug")).text);
    }
  }
  return failed ? EXIT.failed : 0;
}
