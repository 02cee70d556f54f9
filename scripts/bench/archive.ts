/**
 * A large archive to import, as root filesystems are: most files small, most bytes in large ones. The same every time.
 *
 * @module
 */
import { encodeText } from "../../lib/base/byte_string.ts";
import { TarWriter } from "../../lib/image/tar_writer.ts";

/** What was written. */
export interface Archive {
  readonly files: number;
  readonly bytes: number;
}

/** How an archive differs from others. */
export interface ArchiveOptions {
  /** Below which its files lie; `usr/share` unless given. */
  readonly directory?: string;
  /** Each piece of 64 bytes comes as many times: gzip makes about that much less of it. 1 unless given. */
  readonly repeats?: number;
}

/** Writes a tar of about so many bytes. */
export function writeArchive(path: string, bytes: number, options: ArchiveOptions = {}): Archive {
  const { directory = "usr/share", repeats = 1 } = options;
  const directoryOf = (file: number): string => `${directory}/part-${Math.floor(file / PER_DIRECTORY)}`;
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const content = repeatPieces(randomBytes(LARGEST), repeats);
  const writer = new BufferedWriter(file);
  const tar = new TarWriter((chunk) => writer.write(chunk));
  const common = { uid: 0, gid: 0, mtimeSec: 1e9, mtimeNsec: 0, linkPath: "", devMajor: 0, devMinor: 0, xattrs: [] };
  const random = randomNumbers();
  let [files, written] = [0, 0];
  for (; written < bytes; files++) {
    if (files % PER_DIRECTORY === 0) {
      tar.entry({ ...common, path: encodeText(`${directoryOf(files)}/`), type: "directory", mode: 0o755, size: 0 });
    }
    // From 512 bytes to 512 kB, half of them below 3 kB, as in a Debian; 41 kB on average.
    const size = Math.floor(2 ** (9 + 10 * random() ** 2));
    tar.entry({ ...common, path: encodeText(`${directoryOf(files)}/file-${files}`), type: "file", mode: 0o644, size });
    const start = Math.floor(random() * (LARGEST - size));
    tar.data(content.subarray(start, start + size));
    written += size;
  }
  tar.finish();
  writer.flush();
  return { files, bytes: written };
}

const LARGEST = 2 ** 19;
const PER_DIRECTORY = 20;

function repeatPieces(bytes: Uint8Array<ArrayBuffer>, repeats: number): Uint8Array<ArrayBuffer> {
  return bytes.map((_, i) => bytes[Math.floor(i / PIECE / repeats) * PIECE + i % PIECE]!);
}

const PIECE = 64;

/** Writes in pieces of a megabyte. */
class BufferedWriter {
  readonly #buffer = new Uint8Array(1 << 20);
  #used = 0;

  constructor(private readonly file: Deno.FsFile) {}

  write(bytes: Uint8Array): void {
    if (this.#used + bytes.length > this.#buffer.length) this.flush();
    if (bytes.length > this.#buffer.length) return writeAll(this.file, bytes);
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  flush(): void {
    writeAll(this.file, this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += file.writeSync(bytes.subarray(done));
}

/** xorshift32: numbers from 0 to 1. */
function randomNumbers(): () => number {
  let state = 2463534242;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

function randomBytes(size: number): Uint8Array<ArrayBuffer> {
  const random = randomNumbers();
  return new Uint8Array(Uint32Array.from({ length: size / 4 }, () => random() * 2 ** 32).buffer);
}
