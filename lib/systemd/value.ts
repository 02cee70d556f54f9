/**
 * Values of D-Bus (D-Bus specification, Type System): a signature, and what has that form.
 *
 * @module
 */

/**
 * A value: numbers of up to 32 bits and doubles as `number`, those of 64 bits as `bigint`; strings, object paths and
 * signatures as text; arrays, structs and the pairs of a dictionary as lists.
 */
export type Value = number | bigint | boolean | string | Variant | readonly Value[];

/** A value that carries its signature, one complete type. */
export interface Variant {
  readonly signature: string;
  readonly value: Value;
}

/** A property of a unit, as the manager of systemd takes it. */
export interface Property extends Variant {
  readonly name: string;
}

/**
 * The complete types that a signature is made of: "sa(sv)" is "s" and "a(sv)".
 *
 * @throws RangeError where it is none
 */
export function splitSignature(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length;) {
    const end = endOfType(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

const PAIRS: Readonly<Record<string, string>> = { "(": ")", "{": "}" };

function endOfType(signature: string, at: number): number {
  const letter = signature.charAt(at);
  if (letter === "a") return endOfType(signature, at + 1);
  const close = PAIRS[letter];
  if (close === undefined) {
    if (letter === "" || !"ybnqiuxtdsogvh".includes(letter)) throw new RangeError(`'${signature}' is no signature`);
    return at + 1;
  }
  let end = at + 1;
  while (signature.charAt(end) !== close) end = endOfType(signature, end);
  if (end === at + 1) throw new RangeError(`'${signature}' has a struct with nothing in it`);
  return end + 1;
}

/** Where a type begins: at a multiple of so many bytes. */
export function alignmentOf(type: string): number {
  return ALIGNMENTS[type.charAt(0)] ?? 1;
}

const ALIGNMENTS: Readonly<Record<string, number>> = {
  y: 1,
  g: 1,
  v: 1,
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  h: 4,
  s: 4,
  o: 4,
  a: 4,
  x: 8,
  t: 8,
  d: 8,
  "(": 8,
  "{": 8,
};
