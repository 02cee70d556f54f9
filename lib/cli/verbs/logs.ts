/**
 * `paddock logs`.
 *
 * @module
 */
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, readInteger } from "../values/flag.ts";
import { readMoment } from "../values/moment.ts";
import { isOn } from "../words.ts";

/** Prints what a container has printed, as it is: bytes, not text. */
export async function run(words: Words, host: Host): Promise<number> {
  const { readLog } = await import("../../runtime/logs.ts");
  const tail = readFlag(words, "tail", (text) => text === "all" ? undefined : readInteger(text, 0, 1e15));
  const moment = (text: string): bigint => readMoment(text, Date.now());
  const [since, until] = [readFlag(words, "since", moment), readFlag(words, "until", moment)];
  const options = {
    follow: isOn(words, "follow"),
    timestamps: isOn(words, "timestamps"),
    ...(tail === undefined ? {} : { tail }),
    ...(since === undefined ? {} : { since }),
    ...(until === undefined ? {} : { until }),
  };
  await readLog(words.positionals[0] ?? "", options, readRoots(words, host), writeAll);
  return 0;
}

/** A pipe takes what it has room for, and the rest must be offered again. */
function writeAll(bytes: Uint8Array, stream: 1 | 2): void {
  const target = stream === 1 ? Deno.stdout : Deno.stderr;
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(target.writeSync(rest));
}
