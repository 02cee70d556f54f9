/**
 * A world around the command line that is made up, for tests.
 *
 * @module
 */
import type { Host } from "./types.ts";

/** A host in `/srv/dir` with home `/home/me`, these files, and what was printed. */
export interface ExampleHost extends Host {
  readonly printed: () => string;
  readonly warned: () => string;
}

/** Makes one. */
export function makeExampleHost(
  files: Readonly<Record<string, string>> = {},
  calledAs: string = "paddock",
): ExampleHost {
  const environment: Readonly<Record<string, string>> = { HOME: "/home/me", LANG: "C.UTF-8" };
  let printed = "";
  let warned = "";
  return {
    cwd: () => "/srv/dir",
    calledAs: () => calledAs,
    env: (name) => environment[name],
    readText: (path) => {
      const text = files[path];
      if (text === undefined) throw new Error("No such file or directory");
      return text;
    },
    isThere: (path) => files[path] !== undefined,
    print: (text) => void (printed += text),
    append: () => undefined,
    warn: (text) => void (warned += text),
    printed: () => printed,
    warned: () => warned,
  };
}
