/**
 * A Config as the text of a `config.json`; `parse.ts` is the way back.
 *
 * @module
 */
import type { Config } from "./config.ts";

/** The text; numbers beyond exact counting are as exact as they were read. */
export function writeConfigText(config: Config): string {
  // Only a profile has such numbers, and a replacer takes its time.
  if (config.linux.seccomp === undefined) return JSON.stringify(config);
  return JSON.stringify(config, (_key, value) => typeof value === "bigint" ? rawJSON(String(value)) : value);
}

/** ECMAScript, JSON.parse source text access. */
const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown };
