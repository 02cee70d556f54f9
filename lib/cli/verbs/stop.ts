/**
 * `paddock stop`.
 *
 * @module
 */
import type { StopOptions } from "../../runtime/stop.ts";
import { eachContainer } from "../each_container.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, readInteger } from "../values/flag.ts";
import { readSignal } from "../values/process.ts";

/** Asks containers to end, and ends those that do not. */
export async function run(words: Words, host: Host): Promise<number> {
  const { stopContainer } = await import("../../runtime/stop.ts");
  const roots = readRoots(words, host);
  const options = readPatience(words);
  return await eachContainer("stop", words, host, async (name) => {
    await stopContainer(name, options, roots);
    return name;
  });
}

/** `--time` and `--signal`. */
export function readPatience(words: Words): StopOptions {
  const patience = readFlag(words, "time", (text) => readInteger(text, -1, 1e9));
  const signal = readFlag(words, "signal", readSignal);
  return { ...(patience === undefined ? {} : { patience }), ...(signal === undefined ? {} : { signal }) };
}
