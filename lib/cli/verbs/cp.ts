/**
 * `paddock cp`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import type { CopyEnd } from "../../runtime/cp.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { isOn } from "../words.ts";

/** Copies files into a container, or out of it. */
export async function run(words: Words, host: Host): Promise<number> {
  const [source, target] = words.positionals.map((word) => readEnd(word, host));
  if (source === undefined || target === undefined) throw new UsageError("cp needs SOURCE and TARGET");
  if (!isOfContainer(source) && !isOfContainer(target)) {
    throw new UsageError("one of the two must be of a container", { hint: "CONTAINER:PATH" });
  }
  if (target === "stream" && Deno.stdout.isTerminal()) {
    throw new UsageError("a tarball is not for a terminal", { hint: "send it on with > or |" });
  }
  const { copyFiles } = await import("../../runtime/cp.ts");
  const options = { archive: isOn(words, "archive"), follow: isOn(words, "follow-link") };
  copyFiles(source, target, options, readRoots(words, host), speakOn(host, words));
  return 0;
}

function isOfContainer(end: CopyEnd): boolean {
  return end !== "stream" && end.container !== undefined;
}

/** As docker reads it: `CONTAINER:PATH`, `-`, or a path of the host; one with a colon begins with `.` or `/`. */
function readEnd(word: string, host: Host): CopyEnd {
  if (word === "-") return "stream";
  const [, container, path = ""] = /^([^:/.~][^:/]*):(.*)$/s.exec(word) ?? [];
  if (container !== undefined) {
    if (path === "") throw new UsageError(`${word} names no path`, { hint: `${container}:/ is all of it` });
    return { container, path: path.startsWith("/") ? path : `/${path}` };
  }
  // A slash or a point at its end means something, and stays.
  return { path: word.startsWith("/") ? word : `${host.cwd()}/${word}` };
}
