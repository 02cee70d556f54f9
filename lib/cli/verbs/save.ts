/**
 * `paddock save`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { SaveRequest } from "../../runtime/save.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, resolveHostPath } from "../values/flag.ts";
import { speakOn } from "../voice.ts";
import { lastValue } from "../words.ts";

/** Writes images to an archive, a directory, or standard output. */
export async function run(words: Words, host: Host): Promise<number> {
  if (words.positionals.length === 0) throw new UsageError("save needs IMAGE", { hint: "paddock images lists them" });
  const format = (lastValue(words, "format") ?? "oci-archive") as SaveRequest["format"];
  const compression = (lastValue(words, "compress") ?? "none") as SaveRequest["compression"];
  const output = readFlag(words, "output", (text) => resolveHostPath(text, host));
  if (output === undefined && format === "oci-dir") {
    throw new UsageError("a directory cannot be written to standard output", { hint: "give -o DIRECTORY" });
  }
  if (output === undefined && Deno.stdout.isTerminal()) {
    throw new UsageError("an archive is not for a terminal", { hint: "give -o FILE, or send it on with > or |" });
  }
  if (format === "docker-archive" && compression !== "none") {
    throw new UsageError("layers in a docker-archive are not packed", { hint: "pack the archive: … | gzip > FILE" });
  }
  const { saveNamed } = await import("../../runtime/save.ts");
  await saveNamed(words.positionals, readRoots(words, host), { format, compression, output }, speakOn(host));
  return 0;
}
