/**
 * `paddock generate`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Prints a unit of systemd: for one container, or for all that should run after a boot. */
export async function run(words: Words, host: Host): Promise<number> {
  const [kind = "", name] = words.positionals;
  if (kind !== "systemd") {
    throw new UsageError(`'${kind}' cannot be generated`, { hint: "paddock generate systemd [CONTAINER]" });
  }
  if (isOn(words, "health") && name === undefined) throw new UsageError("--health needs CONTAINER");
  const { generateUnit } = await import("../../runtime/generate_unit.ts");
  host.print(generateUnit(name, readRoots(words, host), isOn(words, "health")));
  return 0;
}
