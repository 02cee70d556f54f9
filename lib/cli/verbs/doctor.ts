/**
 * `paddock doctor`.
 *
 * @module
 */
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Prints what this host can do; fails where no container can run. */
export async function run(words: Words, host: Host): Promise<number> {
  const { runDoctor } = await import("../../runtime/doctor.ts");
  const { text, code } = await runDoctor(readRoots(words, host), { json: isOn(words, "json") });
  host.print(text);
  return code;
}
