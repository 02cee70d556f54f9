/**
 * `paddock inspect-program`.
 *
 * @module
 */
import type { Host, Words } from "../types.ts";
import { resolveHostPath } from "../values/flag.ts";
import { isOn } from "../words.ts";

/** Prints the steps of a compiled program. */
export async function run(words: Words, host: Host): Promise<number> {
  const path = resolveHostPath(words.positionals[0] ?? "", host);
  const { inspectProgram } = await import("../../runtime/inspect_program.ts");
  host.print(await inspectProgram(path, { json: isOn(words, "json"), code: isOn(words, "code") }));
  return 0;
}
