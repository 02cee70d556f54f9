/**
 * Values → bytes, little-endian (D-Bus specification, Marshaling).
 *
 * @module
 */
import { alignmentOf, splitSignature, type Value, type Variant } from "./value.ts";

/**
 * The bytes of values, as they are at an offset that is a multiple of eight.
 *
 * @throws RangeError where a value is not of its type
 */
export function marshal(signature: string, values: readonly Value[]): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  writeAll(bytes, splitSignature(signature), values);
  return new Uint8Array(bytes);
}

function writeAll(bytes: number[], types: readonly string[], values: readonly Value[]): void {
  if (types.length !== values.length) throw new RangeError(`${values.length} values for '${types.join("")}'`);
  types.forEach((type, index) => write(bytes, type, values[index]!));
}

function write(bytes: number[], type: string, value: Value): void {
  align(bytes, alignmentOf(type));
  const letter = type.charAt(0);
  if (letter in WIDTHS) return put(bytes, WIDTHS[letter]!, toInteger(value));
  switch (letter) {
    case "d":
      return void bytes.push(...new Uint8Array(new Float64Array([value as number]).buffer));
    case "s":
    case "o":
      return writeText(bytes, value as string, 4);
    case "g":
      return writeText(bytes, value as string, 1);
    case "v":
      writeText(bytes, (value as Variant).signature, 1);
      return write(bytes, (value as Variant).signature, (value as Variant).value);
    case "a":
      return writeArray(bytes, type.slice(1), value as readonly Value[]);
    default:
      return writeAll(bytes, splitSignature(type.slice(1, -1)), value as readonly Value[]);
  }
}

/** Bytes of each whole number; a boolean is one of four. */
const WIDTHS: Readonly<Record<string, number>> = { y: 1, n: 2, q: 2, b: 4, i: 4, u: 4, h: 4, x: 8, t: 8 };

function toInteger(value: Value): bigint {
  if (typeof value === "object" || typeof value === "string") throw new RangeError(`${value} is no number`);
  return BigInt(value);
}

function put(bytes: number[], width: number, value: bigint): void {
  for (let at = 0; at < width; at++) bytes.push(Number((value >> BigInt(8 * at)) & 0xffn));
}

function writeText(bytes: number[], text: string, width: number): void {
  const encoded = new TextEncoder().encode(text);
  if (encoded.includes(0)) throw new RangeError("a text with a NUL");
  put(bytes, width, BigInt(encoded.length));
  for (const byte of encoded) bytes.push(byte);
  bytes.push(0);
}

/** The length counts neither itself nor the padding before the first element. */
function writeArray(bytes: number[], type: string, values: readonly Value[]): void {
  const lengthAt = bytes.length;
  put(bytes, 4, 0n);
  align(bytes, alignmentOf(type));
  const start = bytes.length;
  for (const value of values) write(bytes, type, value);
  const length: number[] = [];
  put(length, 4, BigInt(bytes.length - start));
  bytes.splice(lengthAt, 4, ...length);
}

function align(bytes: number[], to: number): void {
  while (bytes.length % to !== 0) bytes.push(0);
}
