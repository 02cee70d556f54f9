/**
 * `paddock export`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, resolveHostPath } from "../values/flag.ts";

/** Writes a container's files as a tarball, to a file or to standard output. */
export async function run(words: Words, host: Host): Promise<number> {
  const output = readFlag(words, "output", (text) => resolveHostPath(text, host));
  if (output === undefined && Deno.stdout.isTerminal()) {
    throw new UsageError("a tarball is not for a terminal", { hint: "give -o FILE, or send it on with > or |" });
  }
  const { exportContainer } = await import("../../runtime/export.ts");
  await exportContainer(words.positionals[0] ?? "", output, readRoots(words, host));
  return 0;
}
