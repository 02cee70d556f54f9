/**
 * The SHA-256 of an archive while it is extracted.
 *
 * Hashing takes as long as a third of an extraction. A large plain file is therefore hashed beside it, by a worker that
 * reads the file for itself: its pages are in memory anyway, and no data passes between the threads. What is small, piped
 * or packed is hashed chunk by chunk.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { ArchiveSource } from "./source.ts";

/** Takes every chunk in order, then gives the digest. */
export interface Digest extends Disposable {
  update(chunk: Uint8Array<ArrayBuffer>): void;
  /** 64 hexadecimal digits. */
  finish(): Promise<string>;
}

/** Bytes from which on a thread of its own (30 ms and 15 MB) pays. */
const ASIDE_FROM = 64 << 20;

/** Begins a digest; `source.format` must be known, which it is after the first chunk. */
export async function startDigest(source: ArchiveSource): Promise<Digest> {
  if (source.unpackedDigest !== undefined) {
    return { update: () => {}, finish: () => Promise.resolve(source.unpackedDigest!()), [Symbol.dispose]: () => {} };
  }
  const isLarge = source.isRegular && (source.size ?? 0) >= ASIDE_FROM;
  return isLarge && source.format === "tar" && isOurs(source) ? startAside(source) : await startInline();
}

/**
 * Can nobody but root, or who runs this, write to the file? Another could show one content to the hash and another to the
 * extraction, and so put files of his choice under the digest of someone else's image.
 */
function isOurs({ stat }: ArchiveSource): boolean {
  return (stat.uid === 0 || stat.uid === Deno.uid()) && (stat.mode & 0o022) === 0;
}

async function startInline(): Promise<Digest> {
  // Loaded only now: most runs find their layer in the store.
  const { createHash } = await import("node:crypto");
  const hash = createHash("sha256");
  return {
    update: (chunk) => void hash.update(chunk),
    finish: () => Promise.resolve(hash.digest("hex")),
    [Symbol.dispose]: () => {},
  };
}

/** Text, because paddock is one file: there is no second one to start a worker from. */
const WORKER = `
const { createHash } = await import("node:crypto");
self.onmessage = ({ data: path }) => {
  try {
    const file = Deno.openSync(path);
    const hash = createHash("sha256");
    const buffer = new Uint8Array(1 << 20);
    for (let length; (length = file.readSync(buffer)) !== null;) hash.update(buffer.subarray(0, length));
    file.close();
    self.postMessage({ digest: hash.digest("hex") });
  } catch (error) {
    self.postMessage({ error: String(error) });
  }
};`;

function startAside(source: ArchiveSource): Digest {
  const url = URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));
  const worker = new Worker(url, { type: "module" });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const fail = (why: string): void => reject(new PaddockError(`hashing "${source.name}": ${why}`));
  worker.onmessage = ({ data }: MessageEvent<{ digest?: string; error?: string }>): void =>
    data.digest === undefined ? fail(data.error ?? "no answer") : resolve(data.digest);
  worker.onerror = (event): void => {
    event.preventDefault();
    fail(event.message);
  };
  // Nobody waits for it when the extraction fails first.
  promise.catch(() => {});
  worker.postMessage(source.reopenPath);
  return {
    update: () => {},
    finish: () => promise,
    [Symbol.dispose]: () => {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
}
