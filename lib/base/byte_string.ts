/**
 * Names as the kernel and archives have them: bytes that need not be UTF-8.
 *
 * A byte string is a JavaScript string whose every unit is one byte (0 to 255). It compares, splits and keys a map like
 * any string, and goes back to the very same bytes; decoding a name as UTF-8 instead would lose the names that are not.
 *
 * @module
 */

/** A string whose units are bytes, 0 to 255. */
export type ByteString = string;

/** The byte string of bytes. */
export function toByteString(bytes: Uint8Array): ByteString {
  // In pieces: a function takes only so many arguments.
  if (bytes.length <= PIECE) return String.fromCharCode.apply(null, bytes as unknown as number[]);
  let value = "";
  for (let at = 0; at < bytes.length; at += PIECE) value += toByteString(bytes.subarray(at, at + PIECE));
  return value;
}

const PIECE = 4096;

/** The byte string of text, by its UTF-8 form. */
export function encodeText(text: string): ByteString {
  return toByteString(new TextEncoder().encode(text));
}

/** The bytes of a byte string. */
export function fromByteString(value: ByteString): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(value.length);
  for (let i = 0; i < value.length; i++) bytes[i] = value.charCodeAt(i);
  return bytes;
}

/** The bytes of a byte string with a NUL behind them, as a system call wants a name. */
export function toCBytes(value: ByteString): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(value.length + 1);
  for (let i = 0; i < value.length; i++) bytes[i] = value.charCodeAt(i);
  return bytes;
}

/** The text that a byte string encodes in UTF-8; what is not UTF-8 becomes U+FFFD. */
export function decodeText(value: ByteString): string {
  return new TextDecoder().decode(fromByteString(value));
}

/**
 * A name for an error line: in double quotes, control characters and what is not UTF-8 as `\xHH`, cut at 200 characters.
 * An archive's names are not trusted: printed as they are they could drive the reader's terminal.
 */
export function quoteName(value: ByteString): string {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(fromByteString(value));
    text = text.replaceAll(UNFIT, escapeUnit);
  } catch {
    text = value.replaceAll(UNFIT_BYTES, escapeUnit);
  }
  return `"${text.length > 200 ? `${text.slice(0, 200)}…` : text}"`;
}

// C0 and C1 controls, quotes, and the marks that reorder a line of text.
// deno-lint-ignore no-control-regex -- these are what must not reach a terminal
const UNFIT = /[\x00-\x1f\x7f-\x9f"\\\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;
// deno-lint-ignore no-control-regex -- as above
const UNFIT_BYTES = /[\x00-\x1f\x7f-\xff"\\]/g;

function escapeUnit(unit: string): string {
  if (unit === '"' || unit === "\\") return `\\${unit}`;
  const code = unit.charCodeAt(0);
  return code < 256 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16)}`;
}
