/**
 * `paddock logs`: what a container in the background has printed.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { openContainer, type SeenContainer } from "../state/container.ts";
import { isLocked } from "../state/lock.ts";
import type { Roots } from "../state/root.ts";
import { FramedLog, type LogLine } from "./framed_log.ts";

/** What of a log is wanted. */
export interface LogOptions {
  /** So many of the last lines; all unless given. */
  readonly tail?: number;
  /** What comes from this byte on, in place of all or the last lines. */
  readonly from?: number;
  /** Go on with what is printed from now on, until the container has ended. */
  readonly follow: boolean;
  /** Lines printed from then on, and until then; nanoseconds since the epoch. Only of a log with times. */
  readonly since?: bigint;
  readonly until?: bigint;
  /** The time before each line. Only of a log with times. */
  readonly timestamps?: boolean;
}

/** Takes what was printed to a stream; of a log without streams all is of the first. */
export type LogWriter = (bytes: Uint8Array, stream: 1 | 2) => void;

/**
 * Gives a log's bytes to `write`, piece by piece.
 *
 * @throws PaddockError where there is no container of that name, or nobody keeps what it prints.
 */
export async function readLog(
  idOrName: string,
  options: LogOptions,
  roots: Roots,
  write: LogWriter,
): Promise<void> {
  const seen = openContainer(roots, idOrName);
  if (seen.record?.logFiles !== undefined) return await readFramed(seen, options, write);
  const { tail, from, follow, since, until, timestamps } = options;
  if (since !== undefined || until !== undefined || timestamps) {
    throw new PaddockError(`nobody has noted when container '${seen.id}' printed what`, {
      hint: "run it with --log-driver local",
    });
  }
  using file = openLog(seen);
  // Before the first look: what is printed in between wakes us.
  using changes = follow ? Deno.watchFs(seen.record!.log!) : undefined;
  if (from !== undefined) file.seekSync(from, Deno.SeekMode.Start);
  else if (tail !== undefined) file.seekSync(findTail(file, tail), Deno.SeekMode.Start);
  copy(file, write);
  if (changes === undefined) return;
  const ended = closeAtEnd(seen, changes);
  for await (const _ of changes) copy(file, write);
  await ended;
  copy(file, write);
}

/** A log with times, in several files. */
async function readFramed(seen: SeenContainer, options: LogOptions, write: LogWriter): Promise<void> {
  const { tail, from, follow, since, until, timestamps = false } = options;
  const path = seen.record!.log!;
  // Its directory, for the file is renamed.
  using changes = follow ? Deno.watchFs(path.slice(0, path.lastIndexOf("/")), { recursive: false }) : undefined;
  using log = new FramedLog(path);
  const isWanted = ({ time }: LogLine): boolean =>
    (since === undefined || time >= since) && (until === undefined || time <= until);
  const show = (line: LogLine): void => {
    if (isWanted(line)) write(timestamps ? withTime(line) : line.bytes, line.stream);
  };
  if (from !== undefined || tail === 0) log.skip(from);
  else if (tail === undefined) log.readAll(show);
  else showLast(log, tail, isWanted, show);
  log.read(show);
  // A line that has no end yet is shown so far, unless its time must stand before it but once.
  if (!timestamps || !follow) log.flush(show);
  if (changes === undefined) return;
  const ended = closeAtEnd(seen, changes);
  const more = (): void => {
    log.read(show);
    if (!timestamps) log.flush(show);
  };
  for await (const _ of changes) more();
  await ended;
  more();
  log.flush(show);
}

function showLast(
  log: FramedLog,
  count: number,
  isWanted: (line: LogLine) => boolean,
  show: (line: LogLine) => void,
): void {
  let last: LogLine[] = [];
  const keep = (line: LogLine): void => {
    if (!isWanted(line)) return;
    last.push(line);
    if (last.length > 2 * count + 1000) last = last.slice(-count);
  };
  log.readAll(keep);
  log.flush(keep);
  last.slice(-count).forEach(show);
}

/** As docker has it: `2026-11-24T12:00:00.123456789Z line`. */
function withTime({ time, bytes }: LogLine): Uint8Array {
  const text = new Date(Number(time / 1_000_000n)).toISOString().slice(0, 19);
  const prefix = new TextEncoder().encode(`${text}.${String(time % 1_000_000_000n).padStart(9, "0")}Z `);
  const whole = new Uint8Array(prefix.length + bytes.length);
  whole.set(prefix);
  whole.set(bytes, prefix.length);
  return whole;
}

function openLog({ id, record }: SeenContainer): Deno.FsFile {
  if (record?.log === undefined) {
    throw new PaddockError(`nobody keeps what container '${id}' prints`, {
      hint: record?.detached
        ? "it was run with --log-driver none, or journald: journalctl -t NAME"
        : "only those in the background have a log: run -d",
    });
  }
  try {
    return Deno.openSync(record.log);
  } catch (cause) {
    throw new PaddockError(`cannot read ${record.log}: ${(cause as Error).message}`, { cause });
  }
}

/** The watch ends when the container does: nothing is written to its log any more. */
async function closeAtEnd({ directory }: SeenContainer, changes: Deno.FsWatcher): Promise<void> {
  while (isLocked(directory)) await new Promise((resolve) => setTimeout(resolve, 50));
  changes.close();
}

const PIECE = 64 * 1024;

function copy(file: Deno.FsFile, write: LogWriter): void {
  const buffer = new Uint8Array(PIECE);
  for (let count = file.readSync(buffer); count !== null; count = file.readSync(buffer)) {
    write(buffer.subarray(0, count), 1);
  }
}

const NEWLINE = 10;

/** Where the last so many lines begin, read from the end in pieces: a log may be larger than memory. */
function findTail(file: Deno.FsFile, lines: number): number {
  const end = file.seekSync(0, Deno.SeekMode.End);
  if (lines === 0) return end;
  let left = lines;
  for (let at = end; at > 0;) {
    const from = Math.max(0, at - PIECE);
    const piece = readAt(file, from, at - from);
    for (let index = piece.length - 1; index >= 0; index--) {
      // The newline that ends the last line begins none.
      if (piece[index] !== NEWLINE || from + index === end - 1) continue;
      if (--left <= 0) return from + index + 1;
    }
    at = from;
  }
  return 0;
}

function readAt(file: Deno.FsFile, offset: number, length: number): Uint8Array {
  file.seekSync(offset, Deno.SeekMode.Start);
  const piece = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const count = file.readSync(piece.subarray(filled));
    if (count === null) break;
    filled += count;
  }
  return piece.subarray(0, filled);
}
