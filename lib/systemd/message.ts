/**
 * Messages of D-Bus (D-Bus specification, Message Format): a header of sixteen bytes, its fields, and a body.
 *
 * @module
 */
import { marshal } from "./marshal.ts";
import { unmarshal } from "./unmarshal.ts";
import type { Value, Variant } from "./value.ts";

/** What a message is. */
export const MESSAGE = { call: 1, return: 2, error: 3, signal: 4 } as const;

/** One message. Absent fields are not in the header. */
export interface Message {
  readonly type: number;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  readonly signature?: string;
  readonly body: readonly Value[];
}

/** Header fields: their number, and the type of their value. */
const FIELDS = [
  ["path", 1, "o"],
  ["interface", 2, "s"],
  ["member", 3, "s"],
  ["errorName", 4, "s"],
  ["replySerial", 5, "u"],
  ["destination", 6, "s"],
  ["sender", 7, "s"],
  ["signature", 8, "g"],
] as const;

const LITTLE_ENDIAN = 0x6c;
const PROTOCOL = 1;
const HEADER = "yyyyuua(yv)";
/** The length of the fields stands at its end. */
const FIXED_HEADER = 16;
/** "The maximum length of a message, including header, header alignment padding, and body is 2 to the 27th power". */
const LONGEST = 1 << 27;

/** The bytes of a message. */
export function encodeMessage(message: Message): Uint8Array<ArrayBuffer> {
  const body = marshal(message.signature ?? "", message.body);
  const fields = FIELDS.flatMap(([name, code, signature]): Value[] => {
    const value = message[name];
    return value === undefined ? [] : [[code, { signature, value }]];
  });
  const header = marshal(HEADER, [LITTLE_ENDIAN, message.type, 0, PROTOCOL, body.length, message.serial, fields]);
  const bytes = new Uint8Array(roundUp(header.length) + body.length);
  bytes.set(header);
  bytes.set(body, roundUp(header.length));
  return bytes;
}

/**
 * The first message in some bytes, and how many it takes; `undefined` where the rest of it is still to come.
 *
 * @throws RangeError where it is none
 */
export function decodeMessage(bytes: Uint8Array): { readonly message: Message; readonly size: number } | undefined {
  if (bytes.length < FIXED_HEADER) return undefined;
  const littleEndian = bytes[0] === LITTLE_ENDIAN;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const bodyAt = roundUp(FIXED_HEADER + view.getUint32(12, littleEndian));
  const size = bodyAt + view.getUint32(4, littleEndian);
  if (size > LONGEST) throw new RangeError(`a message of ${size} bytes`);
  if (bytes.length < size) return undefined;
  const [, type, , , , serial, pairs] = unmarshal(HEADER, { bytes: bytes.subarray(0, bodyAt), littleEndian });
  const fields = new Map((pairs as [number, Variant][]).map(([code, { value }]) => [code, value]));
  const named = FIELDS.flatMap(([name, code]) => fields.has(code) ? [[name, fields.get(code)!]] : []);
  const signature = fields.get(8) as string | undefined;
  const body = unmarshal(signature ?? "", { bytes: bytes.subarray(bodyAt, size), littleEndian });
  return { message: { ...Object.fromEntries(named), type: type as number, serial: serial as number, body }, size };
}

function roundUp(length: number): number {
  return length + (8 - length % 8) % 8;
}
