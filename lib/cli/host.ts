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
  calledAs: () => {
    try {
      const [first = ""] = Deno.readTextFileSync("/proc/self/cmdline").split("\0");
      return first.slice(first.lastIndexOf("/") + 1);
    } catch {
      return "";
    }
  },
  env: (name) => Deno.env.get(name),
  readText: (path) => Deno.readTextFileSync(path),
  isThere: (path) => {
    try {
      Deno.lstatSync(path);
      return true;
    } catch {
      return false;
    }
  },
  print: (text) => {
    try {
      writeAll(Deno.stdout, text);
    } catch (cause) {
      // A reader that has gone is told apart by whoever reports it.
      if (cause instanceof Deno.errors.BrokenPipe) throw cause;
      throw new PaddockError(`cannot write to standard output: ${(cause as Error).message}`, { cause });
    }
  },
  append: (path, text) => {
    try {
      Deno.writeTextFileSync(path, text, { append: true });
    } catch {
      // Standard error has it.
    }
  },
  warn: (text) => writeAll(Deno.stderr, text),
};

/** A pipe takes what it has room for, and the rest must be offered again. */
function writeAll(stream: { writeSync(bytes: Uint8Array): number }, text: string): void {
  let bytes = new TextEncoder().encode(text);
  while (bytes.length > 0) bytes = bytes.subarray(stream.writeSync(bytes));
}
