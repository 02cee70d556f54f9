/**
 * `paddock doctor`.
 *
 * @module
 */
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Prints what this host can do. */
export async function run(words: Words, host: Host): Promise<number> {
  const { runDoctor } = await import("../../runtime/doctor.ts");
  host.print(await runDoctor({ json: isOn(words, "json") }));
  return 0;
}
