/**
 * Readers of JSON from outside: from `unknown` to a typed value, or an error that names the value by its path.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { type Finding, finding } from "./finding.ts";

/** JSON from outside that has not the shape it must have: every value that is wrong, by its path. */
export class ShapeError extends PaddockError {
  override readonly name = "ShapeError";

  constructor(readonly findings: readonly Finding[]) {
    super(findings.map(({ path, problem }) => `${path}: ${problem}`).join("; "));
  }
}

/**
 * Gives the value as a `T`; `path` names it in errors, as in `process.env[2]`.
 *
 * @throws {ShapeError} where it is none
 */
export type Reader<T> = (value: unknown, path: string) => T;

/** A key of an object: how its value is read, and whether it may be absent (or null, which Go writes for empty). */
interface Field<T> {
  readonly read: Reader<T>;
  readonly required: boolean;
  readonly otherwise?: T;
}

/** The keys of an object of type `T`. */
export type Fields<T> = { readonly [K in keyof T]-?: Field<Exclude<T[K], undefined>> };

/** A key that must be there. */
export function need<T>(read: Reader<T>): Field<T> {
  return { read, required: true };
}

/** A key that may be absent; then it is absent in the result, too, or `otherwise` where that is given. */
export function may<T>(read: Reader<T>, otherwise?: T): Field<T> {
  return { read, required: false, ...(otherwise === undefined ? {} : { otherwise }) };
}

/** An object with these keys; others are passed over, as the specification asks. */
export function object<T extends object>(fields: Fields<T>): Reader<T> {
  return (value, path) => {
    if (!isObject(value)) return refuse(path, "an object", value);
    return Object.fromEntries(
      readAll(Object.entries<Field<unknown>>(fields), ([key, field]) => {
        const item = Object.hasOwn(value, key) ? value[key] ?? undefined : undefined;
        const at = path === "" ? key : `${path}.${key}`;
        if (item !== undefined) return [[key, field.read(item, at)]];
        if (field.required) throw new ShapeError([finding(at, "is missing")]);
        return field.otherwise === undefined ? [] : [[key, field.otherwise]];
      }).flat(),
    ) as T;
  };
}

/** What `read` gives for each; where it refuses some, all that it refuses in one error. */
function readAll<Item, Result>(items: readonly Item[], read: (item: Item, index: number) => Result): Result[] {
  const results: Result[] = [];
  const findings: Finding[] = [];
  items.forEach((item, index) => {
    try {
      results.push(read(item, index));
    } catch (error) {
      if (!(error instanceof ShapeError)) throw error;
      findings.push(...error.findings);
    }
  });
  if (findings.length > 0) throw new ShapeError(findings);
  return results;
}

/** A list of such values. */
export function list<T>(read: Reader<T>): Reader<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) return refuse(path, "a list", value);
    return readAll(value, (item, index) => read(item, `${path}[${index}]`));
  };
}

/** An object of any keys with such values. */
export function record<T>(read: Reader<T>): Reader<Readonly<Record<string, T>>> {
  return (value, path) => {
    if (!isObject(value)) return refuse(path, "an object", value);
    return Object.fromEntries(
      readAll(Object.entries(value), ([key, item]) => [key, read(item, `${path}[${JSON.stringify(key)}]`)]),
    );
  };
}

/** One of these words. */
export function oneOf<T extends string>(...words: readonly T[]): Reader<T> {
  return (value, path) => words.find((word) => word === value) ?? refuse(path, `one of ${words.join(", ")}`, value);
}

/** A text. */
export const text: Reader<string> = (value, path) => typeof value === "string" ? value : refuse(path, "a text", value);

/** True or false. */
export const truth: Reader<boolean> = (value, path) =>
  typeof value === "boolean" ? value : refuse(path, "true or false", value);

/** A whole number that is counted exactly. */
export const integer: Reader<number> = (value, path) =>
  typeof value === "number" && Number.isSafeInteger(value) ? value : refuse(path, "a whole number", value);

/**
 * A number of bytes or the like, where programs written in Go say "no limit" as 2^63 - 1 or 2^64 - 1: that gives -1,
 * and what else cannot be counted exactly is refused.
 */
export const amount: Reader<number> = (value, path) => {
  // What other languages write for "as much as there is": the largest numbers of 64 bits.
  if (typeof value === "bigint" && value >= (1n << 63n) - 1n && value < 1n << 64n) return -1;
  if (typeof value !== "number" || !Number.isInteger(value)) return refuse(path, "a whole number", value);
  return value >= 2 ** 62 ? -1 : integer(value, path);
};

/** 64 bits without a sign, a bigint where a number would not be exact (`readJson` makes these). */
export const word: Reader<number | bigint> = (value, path) => {
  if (typeof value === "bigint" && value < 1n << 64n) return value;
  const number = integer(value, path);
  return number >= 0 ? number : refuse(path, "64 bits without a sign", value);
};

/**
 * JSON in which whole numbers beyond exact counting become bigints.
 *
 * @throws {SyntaxError} where the text is no JSON
 */
export function readJson(source: string): unknown {
  return JSON.parse(source, keepExact);
}

/** `source` is how the value is written (ECMAScript, JSON.parse source text access). */
function keepExact(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number" || Number.isSafeInteger(value)) return value;
  return /^\d+$/.test(context?.source ?? "") ? BigInt(context?.source ?? "") : value;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(path: string, wanted: string, value: unknown): never {
  const shown = typeof value === "bigint" ? String(value) : JSON.stringify(value) ?? String(value);
  const short = shown.length > 40 ? `${shown.slice(0, 40)}…` : shown;
  throw new ShapeError([finding(path === "" ? "the configuration" : path, `needs ${wanted}, not ${short}`)]);
}
