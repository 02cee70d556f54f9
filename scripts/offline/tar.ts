/**
 * Stand-in for the writing side of `@std/tar`, for hosts that cannot reach JSR: the ustar format (`man 5 tar`) with
 * files and directories.
 *
 * @module
 */

/** Metadata of an entry; numbers that are absent are 0, `mtime` (seconds since the epoch) is now. */
export interface TarStreamOptions {
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  uname?: string;
  gname?: string;
  devmajor?: string;
  devminor?: string;
}

/** A file, with exactly `size` bytes of content. */
export interface TarStreamFile {
  type: "file";
  path: string;
  size: number;
  readable: ReadableStream<Uint8Array>;
  options?: TarStreamOptions;
}

/** A directory. */
export interface TarStreamDir {
  type: "directory";
  path: string;
  options?: TarStreamOptions;
}

export type TarStreamInput = TarStreamFile | TarStreamDir;

type Bytes = Uint8Array<ArrayBuffer>;

/** Entries in, the bytes of an archive out. */
export class TarStream implements TransformStream<TarStreamInput, Bytes> {
  readonly readable: ReadableStream<Bytes>;
  readonly writable: WritableStream<TarStreamInput>;

  constructor() {
    const { readable, writable } = new TransformStream<TarStreamInput, Bytes>({
      transform: async (input, controller) => {
        for await (const chunk of entry(input)) controller.enqueue(chunk);
      },
      flush: (controller) => controller.enqueue(new Uint8Array(2 * BLOCK)),
    });
    this.readable = readable;
    this.writable = writable;
  }
}

const BLOCK = 512;

async function* entry(input: TarStreamInput): AsyncGenerator<Bytes> {
  yield header(input);
  if (input.type === "directory") return;
  let size = 0;
  for await (const chunk of input.readable) {
    size += chunk.length;
    yield chunk as Bytes;
  }
  if (size !== input.size) throw new RangeError(`tar: "${input.path}" has ${size} bytes instead of ${input.size}`);
  if (size % BLOCK > 0) yield new Uint8Array(BLOCK - size % BLOCK);
}

function header(input: TarStreamInput): Bytes {
  const block = new Uint8Array(BLOCK);
  const { name, prefix } = splitPath(input.path);
  const options = input.options ?? {};
  const isFile = input.type === "file";
  block.set(name, 0);
  putOctal(block, 100, 8, options.mode ?? (isFile ? 0o644 : 0o755));
  putOctal(block, 108, 8, options.uid ?? 0);
  putOctal(block, 116, 8, options.gid ?? 0);
  putOctal(block, 124, 12, isFile ? input.size : 0);
  putOctal(block, 136, 12, options.mtime ?? Math.floor(Date.now() / 1000));
  putText(block, 156, 1, isFile ? "0" : "5");
  putText(block, 257, 8, "ustar\x0000");
  putText(block, 265, 32, options.uname ?? "");
  putText(block, 297, 32, options.gname ?? "");
  putText(block, 329, 8, options.devmajor ?? "");
  putText(block, 337, 8, options.devminor ?? "");
  block.set(prefix, 345);
  // The checksum is that of the header with blanks in its own place.
  putText(block, 148, 8, " ".repeat(8));
  putText(block, 148, 8, `${octal(block.reduce((sum, byte) => sum + byte, 0), 6)}\0 `);
  return block;
}

/** ustar keeps 100 bytes of name and 155 of directory before it. */
function splitPath(path: string): { name: Bytes; prefix: Bytes } {
  const bytes = new TextEncoder().encode(path);
  if (bytes.length <= 100) return { name: bytes, prefix: new Uint8Array(0) };
  for (let at = Math.min(155, bytes.length - 2); at > 0; at--) {
    if (bytes[at] !== SLASH || bytes.length - at - 1 > 100) continue;
    return { name: bytes.slice(at + 1), prefix: bytes.slice(0, at) };
  }
  throw new RangeError(`tar: "${path}" is too long for the ustar format`);
}

const SLASH = 0x2f;

function putOctal(block: Bytes, at: number, width: number, value: number): void {
  putText(block, at, width, `${octal(value, width - 1)}\0`);
}

function octal(value: number, digits: number): string {
  const text = value.toString(8).padStart(digits, "0");
  if (text.length > digits || !/^[0-7]+$/.test(text)) {
    throw new RangeError(`tar: ${value} does not fit the ustar format`);
  }
  return text;
}

function putText(block: Bytes, at: number, width: number, text: string): void {
  block.set(new TextEncoder().encode(text).subarray(0, width), at);
}
