/**
 * Messages of protocol buffers (protobuf.dev, Encoding), as far as criu's need it: whole numbers and bytes.
 *
 * @module
 */

/** A field: its number, and a whole number, a truth, text, bytes or another message. An absent value is left out. */
export type Field = readonly [number: number, value: number | boolean | string | Uint8Array | undefined];

/** A message, field after field. */
export function encodeMessage(fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  const bytes = fields.flatMap(([number, value]): number[] => {
    if (value === undefined) return [];
    if (typeof value === "number" || typeof value === "boolean") {
      return [...encodeVarint(number << 3), ...encodeVarint(Number(value))];
    }
    const data = typeof value === "string" ? new TextEncoder().encode(value) : value;
    return [...encodeVarint((number << 3) | LENGTH), ...encodeVarint(data.length), ...data];
  });
  return Uint8Array.from(bytes);
}

/** The values of each field of a message: whole numbers, or bytes. */
export class Message {
  readonly #fields = new Map<number, (bigint | Uint8Array)[]>();

  /** @throws RangeError where the bytes are no message. */
  constructor(bytes: Uint8Array) {
    let at = 0;
    const varint = (): bigint => {
      let value = 0n;
      for (let shift = 0n;; shift += 7n) {
        const byte = bytes[at++];
        if (byte === undefined || shift > 63n) throw new RangeError("a message of protocol buffers that is cut off");
        value |= BigInt(byte & 0x7f) << shift;
        if (byte < 0x80) return value;
      }
    };
    while (at < bytes.length) {
      const key = Number(varint());
      const [number, kind] = [key >>> 3, key & 7];
      if (kind === VARINT) this.#add(number, varint());
      else if (kind === LENGTH) {
        const length = Number(varint());
        if (at + length > bytes.length) throw new RangeError("a message of protocol buffers that is cut off");
        this.#add(number, bytes.subarray(at, at += length));
      } else if (kind === FIXED_64 || kind === FIXED_32) at += kind === FIXED_64 ? 8 : 4;
      else throw new RangeError(`a message of protocol buffers with a field of kind ${kind}`);
    }
  }

  /** A whole number, negative ones too; the last where there are several. */
  number(field: number): number | undefined {
    const value = this.#fields.get(field)?.at(-1);
    return typeof value === "bigint" ? Number(BigInt.asIntN(64, value)) : undefined;
  }

  text(field: number): string | undefined {
    const value = this.#fields.get(field)?.at(-1);
    return value instanceof Uint8Array ? new TextDecoder().decode(value) : undefined;
  }

  /** A message within this one. */
  message(field: number): Message | undefined {
    const value = this.#fields.get(field)?.at(-1);
    return value instanceof Uint8Array ? new Message(value) : undefined;
  }

  #add(number: number, value: bigint | Uint8Array): void {
    this.#fields.set(number, [...this.#fields.get(number) ?? [], value]);
  }
}

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH = 2;
const FIXED_32 = 5;

/** Seven bits at a time, the lowest first; negative numbers as 64 bits. */
function encodeVarint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}
