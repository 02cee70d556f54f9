/**
 * `paddock version`.
 *
 * @module
 */
import { VERSION } from "../../base/version.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Prints the version, the machine's architecture, and what paddock runs on. */
export function run(words: Words, host: Host): Promise<number> {
  const facts = { version: VERSION, arch: Deno.build.arch, deno: Deno.version.deno, v8: Deno.version.v8 };
  host.print(
    isOn(words, "json")
      ? `${JSON.stringify(facts, null, 2)}\n`
      : `paddock ${facts.version} (${facts.arch}, Deno ${facts.deno})\n`,
  );
  return Promise.resolve(0);
}
