/**
 * The log of the driver `local`: frames with time and stream (`lib/plan/log_pump.ts`), in several files.
 *
 * @module
 */
import { FRAME } from "../plan/log_pump.ts";

/** A line, or the end of what was printed so far. */
export interface LogLine {
  /** When its first byte was read; nanoseconds since the epoch. */
  readonly time: bigint;
  readonly stream: 1 | 2;
  /** With its newline, where it has one. */
  readonly bytes: Uint8Array;
}

const NANO = 1_000_000_000n;
const NEWLINE = 10;

/** Reads the frames of a log in their order, over all of its files, and gives lines. */
export class FramedLog implements Disposable {
  #file: Deno.FsFile | undefined;
  #rest = new Uint8Array(0);
  /** The beginning of a line of each stream that has not ended yet. */
  readonly #open = new Map<number, { time: bigint; parts: Uint8Array[] }>();

  /** @param path the file that is written to. */
  constructor(private readonly path: string) {}

  [Symbol.dispose](): void {
    this.#file?.close();
  }

  /** From the oldest file on. */
  readAll(take: (line: LogLine) => void): void {
    for (const index of listIndexes(this.path).filter((one) => one > 0).sort((a, b) => b - a)) {
      using file = openFile(`${this.path}.${index}`);
      if (file !== undefined) this.#drain(file, take);
    }
    this.read(take);
  }

  /** What has come since; a file that was renamed meanwhile is read to its end, and those after it. */
  read(take: (line: LogLine) => void): void {
    this.#file ??= openFile(this.path);
    if (this.#file === undefined) return;
    this.#drain(this.#file, take);
    for (let newer = this.#findNewer(); newer !== undefined; newer = this.#findNewer()) {
      // Again: it was written to until it was renamed.
      this.#drain(this.#file, take);
      this.#file.close();
      this.#file = newer;
      this.#drain(newer, take);
    }
  }

  /** Passes over what is there, but for what comes behind this byte of the file that is written to. */
  skip(from?: number): void {
    this.#file = openFile(this.path);
    if (from === undefined) this.#file?.seekSync(0, Deno.SeekMode.End);
    else this.#file?.seekSync(from, Deno.SeekMode.Start);
  }

  /** Lines that have no newline yet. */
  flush(take: (line: LogLine) => void): void {
    for (const [stream, { time, parts }] of this.#open) take({ time, stream: stream as 1 | 2, bytes: join(parts) });
    this.#open.clear();
  }

  /** The file that was begun after the one that is open; undefined where that is the last. */
  #findNewer(): Deno.FsFile | undefined {
    const own = this.#file!.statSync().ino;
    if (own === inodeOf(this.path)) return undefined;
    const index = listIndexes(this.path).find((one) => one > 0 && inodeOf(`${this.path}.${one}`) === own);
    // Where it is gone there were more files than are kept: the oldest that is there comes next.
    const next = index === undefined ? Math.max(0, ...listIndexes(this.path)) : index - 1;
    return openFile(next === 0 ? this.path : `${this.path}.${next}`);
  }

  #drain(file: Deno.FsFile, take: (line: LogLine) => void): void {
    const buffer = new Uint8Array(256 * 1024);
    for (let count = file.readSync(buffer); count !== null; count = file.readSync(buffer)) {
      this.#rest = this.#takeFrames(join([this.#rest, buffer.subarray(0, count)]), take);
    }
  }

  /** Gives what is no whole frame yet. */
  #takeFrames(bytes: Uint8Array<ArrayBuffer>, take: (line: LogLine) => void): Uint8Array<ArrayBuffer> {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let at = 0;
    while (at + FRAME.header <= bytes.length) {
      const [length, stream] = [view.getUint32(at, true), view.getUint32(at + 4, true)];
      // Half a frame is left where the disk was full: the next whole one is looked for.
      if ((stream !== 1 && stream !== 2) || length === 0 || length > FRAME.data) {
        at++;
        continue;
      }
      const end = at + FRAME.header + length;
      if (end > bytes.length) break;
      const time = view.getBigUint64(at + 8, true) * NANO + view.getBigUint64(at + 16, true);
      this.#takeData(stream, time, bytes.slice(at + FRAME.header, end), take);
      at = end;
    }
    return bytes.slice(at);
  }

  #takeData(stream: 1 | 2, time: bigint, data: Uint8Array, take: (line: LogLine) => void): void {
    for (let from = 0; from < data.length;) {
      const newline = data.indexOf(NEWLINE, from);
      const end = newline < 0 ? data.length : newline + 1;
      const open = this.#open.get(stream) ?? { time, parts: [] };
      open.parts.push(data.subarray(from, end));
      this.#open.set(stream, open);
      if (newline >= 0) {
        take({ time: open.time, stream, bytes: join(open.parts) });
        this.#open.delete(stream);
      }
      from = end;
    }
  }
}

/** 0 is the file that is written to. */
function listIndexes(path: string): number[] {
  const slash = path.lastIndexOf("/");
  const [directory, base] = [path.slice(0, slash), path.slice(slash + 1)];
  return [...Deno.readDirSync(directory)].flatMap(({ name }) => {
    if (name === base) return [0];
    const index = name.startsWith(`${base}.`) ? name.slice(base.length + 1) : "";
    return /^\d{1,3}$/.test(index) ? [Number(index)] : [];
  });
}

function openFile(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function inodeOf(path: string): number | null | undefined {
  try {
    return Deno.statSync(path).ino;
  } catch {
    return undefined;
  }
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
