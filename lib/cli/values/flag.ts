/**
 * What all readers of flag values share.
 *
 * @module
 */
import { PaddockError, UsageError } from "../../base/errors.ts";
import { allValues, lastValue } from "../words.ts";
import type { Host, Words } from "../types.ts";

/** The value of a flag read by `read`; undefined where it is not given. What goes wrong names the flag. */
export function readFlag<T>(words: Words, name: string, read: (value: string) => T): T | undefined {
  const value = lastValue(words, name);
  return value === undefined ? undefined : naming(name, () => read(value));
}

/** As `readFlag`, for a flag that may be given more than once. */
export function readFlags<T>(words: Words, name: string, read: (value: string) => T): T[] {
  return allValues(words, name).map((value) => naming(name, () => read(value)));
}

/** A whole number within bounds. */
export function readInteger(text: string, least: number, most: number): number {
  const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(value)) throw new UsageError(`'${text}' is no whole number`);
  if (value < least || value > most) throw new UsageError(`'${text}' is not from ${least} to ${most}`);
  return value;
}

/** `KEY=VALUE` or, where `bare` is said, `KEY` alone, whose value is then that. */
export function readPair(text: string, bare?: string): readonly [string, string] {
  const equals = text.indexOf("=");
  if (equals > 0) return [text.slice(0, equals), text.slice(equals + 1)];
  if (equals < 0 && text !== "" && bare !== undefined) return [text, bare];
  throw new UsageError(`'${text}' is not of the form KEY=VALUE`);
}

/**
 * A path of the host as a shell user means it: `~` is the home directory, a relative one begins at the working
 * directory. `..` stays, since what it means depends on links that only the kernel follows.
 */
export function resolveHostPath(text: string, host: Host): string {
  if (text === "") throw new UsageError("an empty path");
  if (text.startsWith("~")) return expandHome(text, host);
  const path = text.startsWith("/") ? text : `${host.cwd()}/${text}`;
  return cleanSlashes(path);
}

/** An absolute path in the container, without `.`, `..` and doubled slashes; nothing in it can lead above the root. */
export function readContainerPath(text: string): string {
  if (!text.startsWith("/")) throw new UsageError(`'${text}' is no absolute path in the container`);
  const parts: string[] = [];
  for (const part of text.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

function naming<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof PaddockError)) throw error;
    const details = error.hint === undefined ? {} : { hint: error.hint };
    throw new UsageError(`--${name}: ${error.message}`, { ...details, cause: error });
  }
}

function expandHome(text: string, host: Host): string {
  const home = host.env("HOME");
  if (text !== "~" && !text.startsWith("~/")) {
    throw new UsageError(`'${text}': only ~ and ~/… are understood`, {
      hint: "write the directory out, or ./~… for a file of that name",
    });
  }
  if (home === undefined || !home.startsWith("/")) throw new UsageError(`'${text}': HOME is not set`);
  return cleanSlashes(home + text.slice(1));
}

function cleanSlashes(path: string): string {
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return `/${parts.join("/")}`;
}
