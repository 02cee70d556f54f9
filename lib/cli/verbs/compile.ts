/**
 * `paddock compile`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { readRunOptions } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { readFlag, resolveHostPath } from "../values/flag.ts";

/** Writes the container as a program. */
export async function run(words: Words, host: Host): Promise<number> {
  const output = readFlag(words, "output", (text) => resolveHostPath(text, host));
  if (output === undefined) {
    throw new UsageError("compile needs --output", { hint: "as in: paddock compile -o web ./rootfs httpd" });
  }
  const options = readRunOptions(words, host);
  const { compileContainer } = await import("../../runtime/compile.ts");
  await compileContainer(options, output, speakOn(host));
  return 0;
}
