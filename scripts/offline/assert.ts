/**
 * Stand-in for `@std/assert`, over `node:assert` and `node:util`, for hosts that cannot reach JSR.
 *
 * @module
 */
import { deepStrictEqual } from "node:assert/strict";
import { inspect, isDeepStrictEqual } from "node:util";

/** What every assertion of this file throws. */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

// deno-lint-ignore no-explicit-any -- constructors of errors take anything, as in the original
type ErrorClass<E extends Error> = new (...args: any[]) => E;

/** The condition holds. */
export function assert(condition: unknown, msg = ""): asserts condition {
  if (!condition) throw new AssertionError(msg === "" ? "assertion failed" : msg);
}

/** The value is falsy. */
export function assertFalse(value: unknown, msg?: string): void {
  if (value) fails(`expected a falsy value, got ${show(value)}`, msg);
}

/** Deeply equal, classes and present-but-undefined keys included. */
export function equal(a: unknown, b: unknown): boolean {
  return isDeepStrictEqual(a, b);
}

/** Deeply equal; the error shows the difference. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void {
  try {
    deepStrictEqual(actual, expected);
  } catch (error) {
    fails((error as Error).message, msg);
  }
}

/** Not deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void {
  if (equal(actual, expected)) fails(`expected something else than ${show(actual)}`, msg);
}

/** The same value (`Object.is`). */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T {
  if (!Object.is(actual, expected)) fails(`expected ${show(expected)} itself, got ${show(actual)}`, msg);
}

/** Not the same value (`Object.is`). */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void {
  if (Object.is(actual, expected)) fails(`expected another value than ${show(actual)}`, msg);
}

/** Neither null nor undefined. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T> {
  if (actual === undefined || actual === null) fails(`expected a value, got ${show(actual)}`, msg);
}

/** `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual > expected)) fails(`expected ${show(actual)} > ${show(expected)}`, msg);
}

/** `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual >= expected)) fails(`expected ${show(actual)} >= ${show(expected)}`, msg);
}

/** `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual < expected)) fails(`expected ${show(actual)} < ${show(expected)}`, msg);
}

/** `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void {
  if (!(actual <= expected)) fails(`expected ${show(actual)} <= ${show(expected)}`, msg);
}

/** Within the tolerance of each other; one ten-millionth of the expected value unless given. */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void {
  if (Object.is(actual, expected)) return;
  const allowed = tolerance ?? (Number.isFinite(expected) ? Math.abs(expected * 1e-7) : 1e-7);
  if (!(Math.abs(expected - actual) <= allowed)) fails(`expected ${expected} ± ${allowed}, got ${actual}`, msg);
}

/** The text contains the other text. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void {
  if (!actual.includes(expected)) fails(`expected a text with ${show(expected)}, got ${show(actual)}`, msg);
}

/** Each expected value is (deeply) among the actual ones. */
export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void {
  const all = Array.from(actual);
  const missing = Array.from(expected).filter((wanted) => !all.some((have) => equal(have, wanted)));
  if (missing.length > 0) fails(`expected ${show(all)} to include ${show(missing)}`, msg);
}

/** The text matches. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void {
  if (!expected.test(actual)) fails(`expected a text that matches ${expected}, got ${show(actual)}`, msg);
}

/** The text does not match. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void {
  if (expected.test(actual)) fails(`expected a text that does not match ${expected}, got ${show(actual)}`, msg);
}

/** Every key of the expected object is there with a (deeply) equal or matching value; others may be too. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any -- as in the original: any object with string keys
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void {
  if (!matches(actual, expected)) fails(`expected ${show(actual)} to match ${show(expected)}`, msg);
}

/** An instance of the class. */
// deno-lint-ignore no-explicit-any -- as in the original: any constructor, abstract ones too
export function assertInstanceOf<T extends abstract new (...args: any[]) => any>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is InstanceType<T> {
  if (!(actual instanceof expected)) fails(`expected an instance of ${expected.name}, got ${show(actual)}`, msg);
}

/** An error of the class whose message includes the text or matches the expression. */
export function assertIsError<E extends Error = Error>(
  error: unknown,
  errorClass?: ErrorClass<E>,
  messageMatches?: string | RegExp,
  msg?: string,
): asserts error is E {
  if (!(error instanceof Error)) fails(`expected an error, got ${show(error)}`, msg);
  if (errorClass !== undefined && !(error instanceof errorClass)) {
    fails(`expected a ${errorClass.name}, got ${error.constructor.name}: ${error.message}`, msg);
  }
  if (typeof messageMatches === "string" && !error.message.includes(messageMatches)) {
    fails(`expected an error with ${show(messageMatches)}, got ${show(error.message)}`, msg);
  }
  if (messageMatches instanceof RegExp && !messageMatches.test(error.message)) {
    fails(`expected an error that matches ${messageMatches}, got ${show(error.message)}`, msg);
  }
}

/** The function throws; gives what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** The function throws an error of the class whose message includes the text; gives the error. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): E;
export function assertThrows<E extends Error>(
  fn: () => unknown,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): unknown {
  let thrown: unknown;
  try {
    fn();
  } catch (error) {
    thrown = error;
    if (typeof classOrMsg === "function") assertIsError(error, classOrMsg, msgIncludes, msg);
    return thrown;
  }
  return fails("expected the function to throw", typeof classOrMsg === "string" ? classOrMsg : msg);
}

/** The promise is rejected; gives what with. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** The promise is rejected with an error of the class whose message includes the text; gives the error. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  errorClass: ErrorClass<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
export async function assertRejects<E extends Error>(
  fn: () => PromiseLike<unknown>,
  classOrMsg?: ErrorClass<E> | string,
  msgIncludes?: string,
  msg?: string,
): Promise<unknown> {
  let promised = false;
  try {
    const promise = fn();
    promised = true;
    await promise;
  } catch (error) {
    if (!promised) fails("expected a rejected promise, but the function threw before it gave one", msg);
    if (typeof classOrMsg === "function") assertIsError(error, classOrMsg, msgIncludes, msg);
    return error;
  }
  return fails("expected the promise to be rejected", typeof classOrMsg === "string" ? classOrMsg : msg);
}

/** Fails. */
export function fail(msg?: string): never {
  return fails("failed", msg);
}

/** Fails: this place is not to be reached. */
export function unreachable(msg?: string): never {
  return fails("unreachable", msg);
}

function fails(what: string, msg?: string): never {
  throw new AssertionError(msg === undefined ? what : `${msg}: ${what}`);
}

function show(value: unknown): string {
  return inspect(value, { depth: 6, breakLength: 100 });
}

function matches(actual: unknown, expected: unknown): boolean {
  if (!isPlain(expected) || !isPlain(actual)) return equal(actual, expected);
  return Reflect.ownKeys(expected).every((key) => key in actual && matches(actual[key], expected[key]));
}

function isPlain(value: unknown): value is Record<PropertyKey, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value) &&
    !(value instanceof Map) && !(value instanceof Set) && !(value instanceof Date);
}
