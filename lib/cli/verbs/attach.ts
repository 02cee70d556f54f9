/**
 * `paddock attach`.
 *
 * @module
 */
import { readDetachKeys } from "../../base/detach_keys.ts";
import type { AttachOptions, CallerStreams } from "../../runtime/attach.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlag } from "../values/flag.ts";
import { isOn } from "../words.ts";

/** Shows what a container in the background prints, and lets the caller type; the exit code is the container's. */
export async function run(words: Words, host: Host): Promise<number> {
  const { attachContainer } = await import("../../runtime/attach.ts");
  const options = readAttachOptions(words, !isOn(words, "no-stdin"));
  return await attachContainer(words.positionals[0] ?? "", options, readRoots(words, host), callerStreams());
}

/** The flags that `attach` and `start --attach` share. */
export function readAttachOptions(words: Words, input: boolean): AttachOptions {
  const keys = readFlag(words, "detach-keys", readDetachKeys);
  return { input, signals: words.switches.get("sig-proxy") ?? true, ...(keys === undefined ? {} : { keys }) };
}

/** This process's own. */
export function callerStreams(): CallerStreams {
  return {
    read: (buffer) => Deno.stdin.read(buffer),
    write: (bytes) => {
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(Deno.stdout.writeSync(rest));
    },
    ...(Deno.stdin.isTerminal() ? { terminal: { size: Deno.consoleSize } } : {}),
  };
}
