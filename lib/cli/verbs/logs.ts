/**
 * `paddock logs`.
 *
 * @module
 */
import { readRoots } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, readInteger } from "../values/flag.ts";
import { isOn } from "../words.ts";

/** Prints what a container has printed, as it is: bytes, not text. */
export async function run(words: Words, host: Host): Promise<number> {
  const { readLog } = await import("../../runtime/logs.ts");
  const tail = readFlag(words, "tail", (text) => text === "all" ? undefined : readInteger(text, 0, 1e15));
  const options = { follow: isOn(words, "follow"), ...(tail === undefined ? {} : { tail }) };
  await readLog(words.positionals[0] ?? "", options, readRoots(words, host), writeAll);
  return 0;
}

/** A pipe takes what it has room for, and the rest must be offered again. */
function writeAll(bytes: Uint8Array): void {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(Deno.stdout.writeSync(rest));
}
