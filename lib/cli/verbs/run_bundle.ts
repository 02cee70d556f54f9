/**
 * `paddock run --bundle`: runc's `run`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { isOn } from "../words.ts";
import { readCreateOptions } from "./create.ts";

/** Creates a container from a bundle and starts it; in the foreground the exit code is its command's. */
export async function run(words: Words, host: Host): Promise<number> {
  const extra = words.positionals[1];
  if (extra !== undefined) {
    throw new UsageError(`run of a bundle takes no word '${extra}': config.json has the command`, {
      hint: "paddock exec runs another one in it",
    });
  }
  const { createFromBundle } = await import("../../runtime/create.ts");
  const then = isOn(words, "detach") ? "detach" : "watch";
  return await createFromBundle({ ...readCreateOptions(words, host), then, keep: isOn(words, "keep") }, speakOn(host));
}
