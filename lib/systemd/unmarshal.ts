/**
 * Bytes → values (D-Bus specification, Marshaling). What comes is checked: a length never leads outside.
 *
 * @module
 */
import { alignmentOf, splitSignature, type Value } from "./value.ts";

/** Bytes, and in which order those of a number stand. */
export interface Marshalled {
  readonly bytes: Uint8Array;
  readonly littleEndian: boolean;
}

/**
 * The values of that signature, which begin at the first byte.
 *
 * @throws RangeError where they are not there
 */
export function unmarshal(signature: string, marshalled: Marshalled): Value[] {
  return new Reader(marshalled).readAll(splitSignature(signature));
}

/** So deep may containers lie in each other: thirty-two arrays and as many structs. */
const DEEPEST = 64;

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #little: boolean;
  #at = 0;

  constructor({ bytes, littleEndian }: Marshalled) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#little = littleEndian;
  }

  readAll(types: readonly string[], depth = 0): Value[] {
    return types.map((type) => this.#read(type, depth));
  }

  #read(type: string, depth: number): Value {
    if (depth > DEEPEST) throw new RangeError("a value within too many others");
    this.#align(alignmentOf(type));
    const [view, little] = [this.#view, this.#little];
    switch (type.charAt(0)) {
      case "y":
        return view.getUint8(this.#take(1));
      case "b":
        return view.getUint32(this.#take(4), little) !== 0;
      case "n":
        return view.getInt16(this.#take(2), little);
      case "q":
        return view.getUint16(this.#take(2), little);
      case "i":
        return view.getInt32(this.#take(4), little);
      case "u":
      case "h":
        return view.getUint32(this.#take(4), little);
      case "x":
        return view.getBigInt64(this.#take(8), little);
      case "t":
        return view.getBigUint64(this.#take(8), little);
      case "d":
        return view.getFloat64(this.#take(8), little);
      case "s":
      case "o":
        return this.#text(view.getUint32(this.#take(4), little));
      case "g":
        return this.#text(view.getUint8(this.#take(1)));
      case "v": {
        const signature = this.#text(view.getUint8(this.#take(1)));
        return { signature, value: this.#read(signature, depth + 1) };
      }
      case "a":
        return this.#array(type.slice(1), depth + 1);
      default:
        return this.readAll(splitSignature(type.slice(1, -1)), depth + 1);
    }
  }

  #array(type: string, depth: number): Value[] {
    const length = this.#view.getUint32(this.#take(4), this.#little);
    this.#align(alignmentOf(type));
    const end = this.#at + length;
    if (end > this.#bytes.length) throw new RangeError("an array that goes on after the end");
    const values: Value[] = [];
    while (this.#at < end) values.push(this.#read(type, depth));
    return values;
  }

  #text(length: number): string {
    const start = this.#take(length + 1);
    return new TextDecoder().decode(this.#bytes.subarray(start, start + length));
  }

  /** Goes on by so many bytes, and gives where they began. */
  #take(count: number): number {
    const start = this.#at;
    if (start + count > this.#bytes.length) throw new RangeError("a value that goes on after the end");
    this.#at += count;
    return start;
  }

  #align(to: number): void {
    this.#at += (to - this.#at % to) % to;
  }
}
