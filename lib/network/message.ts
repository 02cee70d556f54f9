/**
 * Netlink messages as bytes (`man 7 netlink`, linux/netlink.h): a header, a struct of the family, and attributes, each a
 * length, a type and a value that is filled up to four bytes. Numbers are little-endian, as on all machines that
 * launchers are made for; those of nf_tables inside attributes are big-endian.
 *
 * @module
 */

/** `nlmsghdr.nlmsg_flags`. */
export const NLM_F = {
  REQUEST: 0x1,
  ACK: 0x4,
  /** Of a request that gets: all of them. */
  DUMP: 0x300,
  /** Of a request that makes: an error where it is there already. */
  EXCL: 0x200,
  CREATE: 0x400,
  APPEND: 0x800,
} as const;

/** Message types that every family has. */
export const NLMSG = { ERROR: 2, DONE: 3 } as const;

/** Says that the value of an attribute is attributes. */
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

const HEADER_SIZE = 16;

/** What stands in a message's header. */
export interface Header {
  readonly type: number;
  readonly flags: number;
  /** Tells answers apart; who sends fills it in, unless it matters before. */
  readonly sequence?: number;
}

/** A message of these parts. */
export function message({ type, flags, sequence = 0 }: Header, ...parts: readonly Uint8Array[]): Uint8Array {
  const body = concatenate(parts);
  return concatenate([u32(HEADER_SIZE + body.length), u16(type), u16(flags), u32(sequence), u32(0), body]);
}

/** An attribute whose value is these parts. */
export function attribute(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const value = concatenate(parts);
  const length = 4 + value.length;
  return concatenate([u16(length), u16(type), value, new Uint8Array(align(length) - length)]);
}

/** An attribute of attributes that says so; rtnetlink takes them without as well, nf_tables wants it. */
export function nested(type: number, ...parts: readonly Uint8Array[]): Uint8Array {
  return attribute(type | NLA_F_NESTED, ...parts);
}

/** Text with a NUL behind it. */
export function cText(value: string): Uint8Array {
  return text(`${value}\0`);
}

/** Text without. */
export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

export function u16(value: number): Uint8Array {
  return number(2, (view) => view.setUint16(0, value, true));
}

export function u32(value: number): Uint8Array {
  return number(4, (view) => view.setUint32(0, value, true));
}

export function be16(value: number): Uint8Array {
  return number(2, (view) => view.setUint16(0, value));
}

export function be32(value: number): Uint8Array {
  return number(4, (view) => view.setUint32(0, value));
}

/** One after the other. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** An attribute that was received, and where its value lies in what it was found in. */
export interface FoundAttribute {
  readonly at: number;
  readonly value: Uint8Array;
}

/**
 * The attributes that begin at a place, by their type without flags. What does not fit in there is passed over.
 *
 * @param from behind the family's struct.
 */
export function readAttributes(bytes: Uint8Array, from = 0): Map<number, FoundAttribute> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const found = new Map<number, FoundAttribute>();
  for (let at = from; at + 4 <= bytes.length;) {
    const length = view.getUint16(at, true);
    if (length < 4 || at + length > bytes.length) break;
    const type = view.getUint16(at + 2, true) & NLA_TYPE_MASK;
    found.set(type, { at: at + 4, value: bytes.subarray(at + 4, at + length) });
    at += align(length);
  }
  return found;
}

/**
 * Where the value of an attribute lies in a message, for what is known only when it is sent.
 *
 * @param path the place behind the family's struct, and then the type of each attribute, from the outermost; a number of
 * bytes to be passed over inside stands behind it.
 * @throws RangeError where it is not there, which is a mistake of the program.
 */
export function placeOfAttribute(
  bytes: Uint8Array,
  path: readonly (readonly [type: number, skip?: number])[],
  from: number,
): number {
  let [within, base, start] = [bytes, 0, from];
  for (const [type, skip = 0] of path) {
    const found = readAttributes(within, start).get(type);
    if (found === undefined) throw new RangeError(`message: no attribute ${type}`);
    [within, base, start] = [found.value, base + found.at, skip];
  }
  return base;
}

/** The first bytes as text, up to a NUL. */
export function readText(value: Uint8Array): string {
  const end = value.indexOf(0);
  return new TextDecoder().decode(end < 0 ? value : value.subarray(0, end));
}

/** A number of 32 bits; `undefined` where there are fewer. */
export function readU32(value: Uint8Array | undefined): number | undefined {
  if (value === undefined || value.length < 4) return undefined;
  return new DataView(value.buffer, value.byteOffset, value.length).getUint32(0, true);
}

function number(size: number, write: (view: DataView) => void): Uint8Array {
  const bytes = new Uint8Array(size);
  write(new DataView(bytes.buffer));
  return bytes;
}

function align(length: number): number {
  return Math.ceil(length / 4) * 4;
}
