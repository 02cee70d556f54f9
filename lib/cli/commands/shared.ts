/**
 * Words that several verbs take.
 *
 * @module
 */
import type { Option, Positional } from "../types.ts";

/** An image, in any of its forms. */
export const IMAGE: Positional = { name: "IMAGE", path: true };
/** The words of a command. */
export const COMMAND: Positional = { name: "COMMAND", optional: true, rest: true };
/** For programs. */
export const JSON_FLAG: Option = { name: "json", help: "as JSON, for programs" };

/** Of `attach` and `start --attach`. */
export const ATTACH_FLAGS: readonly Option[] = [
  { name: "detach-keys", value: "KEYS", help: "keys that leave it, in a terminal (ctrl-p,ctrl-q)" },
  { name: "sig-proxy", help: "pass signals on, where it has no terminal (true)" },
];

/** Of `stop` and `restart`. */
export const STOP_FLAGS: readonly Option[] = [
  {
    name: "time",
    short: "t",
    value: "SECONDS",
    help: "how long it may take (10, or as it was made with); -1 is for ever",
  },
  { name: "signal", short: "s", value: "SIGNAL", help: "in place of the one that it was made with" },
];
