/**
 * A packed layer that a thread of its own unpacks and hashes, while this one makes the files: two thirds of the work of
 * an extraction that can be done beside it.
 *
 * The thread reads the file for itself and sends what comes of it in pieces that pass from hand to hand uncopied. So
 * many are on the way at a time and no more: who takes one allows the next.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import * as calls from "../kernel/file_calls.ts";
import { check, statFd } from "../kernel/fs.ts";
import { MAGIC_BYTES, requireReadable, tellFormat } from "./magic.ts";
import { type ArchiveSource, type BlobPart, explainUnpacking, openBlob } from "./source.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a packed layer from which on a thread (30 ms and 15 MB) pays. */
const ASIDE_FROM = 4 << 20;
/** Pieces on the way, of a megabyte each. */
const AHEAD = 8;

/**
 * Opens a layer that lies in a file of its own; a small one, or one that is not packed, without a thread.
 *
 * @param part of the whole file; nothing is hashed but what it unpacks to.
 */
export async function openLayerAside(part: BlobPart): Promise<ArchiveSource> {
  const beginning = new Uint8Array(MAGIC_BYTES);
  const length = check(part.name, "pread", calls.pread(part.fd, beginning, 0));
  const format = requireReadable(tellFormat(beginning.subarray(0, length)), part.name);
  return format === "tar" || part.size < ASIDE_FROM ? await openBlob(part) : new ThreadedSource(part, format);
}

/** What the thread says. */
type Message =
  | { readonly piece: Bytes; readonly read: number }
  | { readonly digest: string; readonly read: number }
  | { readonly error: string };

class ThreadedSource implements ArchiveSource {
  readonly name: string;
  readonly stat: ArchiveSource["stat"];
  readonly isRegular = false;
  readonly size: number;
  readonly reopenPath: string;
  bytesRead = 0;
  readonly #worker: Worker;
  readonly #url: string;
  readonly #messages: Message[] = [];
  #wake: () => void = () => {};
  #digest: string | undefined;
  #begun: Bytes | undefined;

  constructor({ name, fd, size }: BlobPart, readonly format: "gzip" | "zstd") {
    this.name = name;
    this.size = size;
    this.stat = statFd(fd, name);
    this.reopenPath = `/proc/self/fd/${fd}`;
    this.#url = URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));
    this.#worker = new Worker(this.#url, { type: "module" });
    const take = (message: Message): void => {
      this.#messages.push(message);
      this.#wake();
    };
    this.#worker.onmessage = ({ data }: MessageEvent<Message>) => take(data);
    // Deno 2.9 throws some errors of zstd into the thread's event loop, where no stream hears of them.
    this.#worker.onerror = (event): void => {
      event.preventDefault();
      take({ error: event.message.replace(/^Uncaught (\(in promise\) )?(\w*Error: )?/, "") });
    };
    this.#worker.postMessage({ path: this.reopenPath, format, ahead: AHEAD });
  }

  [Symbol.dispose](): void {
    this.#worker.terminate();
    URL.revokeObjectURL(this.#url);
  }

  async begin(): Promise<Bytes> {
    return this.#begun ??= await this.#next() ?? new Uint8Array();
  }

  async *chunks(): AsyncGenerator<Bytes, void, void> {
    const first = await this.begin();
    if (first.length === 0) {
      // A decoder of zstd does not say when its input ends inside a block.
      const orCut = this.format === "zstd" ? ", or one that ends too early" : "";
      throw new PaddockError(`"${this.name}" is a ${this.format} file of nothing${orCut}`);
    }
    if (tellFormat(first) !== "tar") {
      throw new PaddockError(`"${this.name}" is a ${this.format} file of something that is not a tar archive`);
    }
    for (let piece: Bytes | undefined = first; piece !== undefined; piece = await this.#next()) yield piece;
  }

  /** It was hashed when it was downloaded. */
  verify(): void {}

  /** Of what it unpacks to: 64 hexadecimal digits, once all was taken. */
  unpackedDigest(): string {
    return this.#digest!;
  }

  /** The next piece; undefined at the end. */
  async #next(): Promise<Bytes | undefined> {
    while (this.#messages.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
    const message = this.#messages.shift()!;
    if ("error" in message) throw explainUnpacking(new Error(message.error), this.name, this.format);
    this.bytesRead = message.read;
    if ("digest" in message) {
      this.#digest = message.digest;
      return undefined;
    }
    this.#worker.postMessage("more");
    return message.piece;
  }
}

/** Text, because paddock is one file: there is no second one to start a worker from. */
const WORKER = `
const { createHash } = await import("node:crypto");
const { Readable } = await import("node:stream");
const { default: zlib } = await import("node:zlib");
const PIECE = 1 << 20;
let left = 0;
let go = () => {};
self.onmessage = ({ data }) => {
  if (data === "more") {
    left++;
    go();
    return;
  }
  left = data.ahead;
  unpack(data).catch((error) => self.postMessage({ error: String(error?.message ?? error) }));
};
async function unpack({ path, format }) {
  const file = Deno.openSync(path);
  let read = 0;
  function* packed() {
    for (;;) {
      const buffer = new Uint8Array(1 << 17);
      const length = file.readSync(buffer);
      if (length === null) return;
      read += length;
      yield buffer.subarray(0, length);
    }
  }
  const hash = createHash("sha256");
  const decoder = format === "gzip"
    ? zlib.createGunzip({ chunkSize: 1 << 18 })
    : zlib.createZstdDecompress({ chunkSize: 1 << 18 });
  const input = Readable.from(packed(), { objectMode: false, highWaterMark: 1 << 17 });
  input.on("error", (error) => decoder.destroy(error));
  input.pipe(decoder);
  let piece = new Uint8Array(PIECE);
  let length = 0;
  const send = async () => {
    while (left <= 0) await new Promise((resolve) => go = resolve);
    left--;
    const full = piece.subarray(0, length);
    piece = new Uint8Array(PIECE);
    length = 0;
    self.postMessage({ piece: full, read }, [full.buffer]);
  };
  for await (const part of decoder) {
    hash.update(part);
    for (let at = 0; at < part.length;) {
      const fits = Math.min(part.length - at, PIECE - length);
      piece.set(part.subarray(at, at + fits), length);
      length += fits;
      at += fits;
      if (length === PIECE) await send();
    }
  }
  if (length > 0) await send();
  self.postMessage({ digest: hash.digest("hex"), read });
}`;
