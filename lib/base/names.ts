/**
 * Names and ids of containers.
 *
 * @module
 */
import { PaddockError } from "./errors.ts";

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

/** True for what may name a container: it becomes a directory's and a cgroup's name, so no slash and no leading dot. */
export function isName(text: string): boolean {
  return NAME.test(text);
}

/**
 * The name, if it may be one.
 *
 * @throws {PaddockError} naming the text and the rule
 */
export function checkName(text: string): string {
  if (isName(text)) return text;
  throw new PaddockError(`'${text}' is no name for a container`, {
    hint:
      "a name is of letters, digits, '_', '.' and '-', begins with a letter or digit, and has 128 characters at most",
  });
}

/**
 * The process id that a launcher which was not prepared puts at the end of its names: seven digits; undefined where the
 * id is none of those.
 */
export function launcherOf(id: string): number | undefined {
  const digits = /-(\d{7})$/.exec(id)?.[1];
  return digits === undefined ? undefined : Number(digits);
}

/** A new id: twelve hexadecimal digits from the system's source of randomness. */
export function makeId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(6));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
