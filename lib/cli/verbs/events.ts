/**
 * `paddock events`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { parseDuration } from "../../base/sizes.ts";
import { readRoots } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { readFlag } from "../values/flag.ts";
import { isOn } from "../words.ts";

/** Prints what a container uses and what happens to it, until it ends. */
export async function run(words: Words, host: Host): Promise<number> {
  const interval = readFlag(words, "interval", readInterval) ?? 5000;
  const { followEvents } = await import("../../runtime/events.ts");
  const options = { once: isOn(words, "stats"), interval };
  followEvents(words.positionals[0] ?? "", options, readRoots(words, host), host.print);
  return 0;
}

/** Milliseconds. */
function readInterval(text: string): number {
  const milliseconds = parseDuration(text) * 1000;
  if (milliseconds < 1) throw new UsageError("duration interval must be greater than 0");
  return milliseconds;
}
