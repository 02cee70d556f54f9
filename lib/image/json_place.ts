/**
 * Reading JSON that is not trusted: each value with the place where it stands, so that an error names it. Pure.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";

/** A place in a JSON document. */
export class JsonPlace {
  /**
   * @param subject what the document is, for errors: `image config "web.json"`.
   * @param hint what the user can do about a document that makes no sense.
   * @param path of the place: `$.config.Env[0]`.
   */
  constructor(readonly subject: string, readonly hint: string, readonly path: string = "$") {}

  /** A place below this one. @param step `.NAME` or `[NUMBER]` */
  child(step: string): JsonPlace {
    return new JsonPlace(this.subject, this.hint, this.path + step);
  }

  /** @throws PaddockError that names the place. */
  fail(why: string): never {
    throw new PaddockError(`${this.subject}: ${this.path}: ${why}`, { hint: this.hint });
  }
}

/** The value of a document's text. @throws PaddockError */
export function parseJson(text: string, at: JsonPlace): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    return at.fail(`no valid JSON: ${error instanceof Error ? error.message : error}`);
  }
}

/** @throws PaddockError for anything but an object. */
export function readObject(value: unknown, at: JsonPlace): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    at.fail(`an object is wanted, ${describeType(value)} found`);
  }
  return value as Record<string, unknown>;
}

/** @throws PaddockError for anything but a list. */
export function readList(value: unknown, at: JsonPlace): unknown[] {
  if (!Array.isArray(value)) at.fail(`a list is wanted, ${describeType(value)} found`);
  return value as unknown[];
}

/** @throws PaddockError for anything but a list of strings. */
export function readTexts(value: unknown, at: JsonPlace): string[] {
  if (!Array.isArray(value)) at.fail(`a list of strings is wanted, ${describeType(value)} found`);
  return (value as unknown[]).map((entry, i) => readText(entry, at.child(`[${i}]`)));
}

/** What becomes an argument of a system call cannot hold a NUL. @throws PaddockError for anything but a string. */
export function readText(value: unknown, at: JsonPlace): string {
  if (typeof value !== "string") at.fail(`a string is wanted, ${describeType(value)} found`);
  if ((value as string).includes("\0")) at.fail("a NUL character is in it");
  return value as string;
}

/** An object whose values are strings. @throws PaddockError */
export function readTextMap(value: unknown, at: JsonPlace): Record<string, string> {
  return Object.fromEntries(
    Object.entries(readObject(value, at)).map((
      [key, text],
    ) => [key, readText(text, at.child(`[${JSON.stringify(key)}]`))]),
  );
}

function describeType(value: unknown): string {
  return value === null
    ? "null"
    : Array.isArray(value)
    ? "a list"
    : typeof value === "object"
    ? "an object"
    : `a ${typeof value}`;
}
