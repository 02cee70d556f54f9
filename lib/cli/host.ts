/**
 * The world around the command line: working directory, environment, files, standard output and error.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Host } from "./types.ts";

/** The real one. */
export const realHost: Host = {
  cwd: () => {
    try {
      return Deno.cwd();
    } catch (cause) {
      throw new PaddockError("the working directory is gone", {
        hint: "cd to one that is there, or give absolute paths",
        cause,
      });
    }
  },
  env: (name) => Deno.env.get(name),
  readText: (path) => Deno.readTextFileSync(path),
  print: (text) => writeAll(Deno.stdout, text),
  warn: (text) => writeAll(Deno.stderr, text),
};

/** A pipe takes what it has room for, and the rest must be offered again. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}
