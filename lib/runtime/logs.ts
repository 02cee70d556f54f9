/**
 * `paddock logs`: what a container in the background has printed.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { openContainer, type SeenContainer } from "../state/container.ts";
import { isLocked } from "../state/lock.ts";
import type { Roots } from "../state/root.ts";

/** What of a log is wanted. */
export interface LogOptions {
  /** So many of the last lines; all unless given. */
  readonly tail?: number;
  /** What comes from this byte on, in place of all or the last lines. */
  readonly from?: number;
  /** Go on with what is printed from now on, until the container has ended. */
  readonly follow: boolean;
}

/**
 * Gives a log's bytes to `write`, piece by piece.
 *
 * @throws PaddockError where there is no container of that name, or nobody keeps what it prints.
 */
export async function readLog(
  idOrName: string,
  { tail, from, follow }: LogOptions,
  roots: Roots,
  write: (bytes: Uint8Array) => void,
): Promise<void> {
  const seen = openContainer(roots, idOrName);
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

function openLog({ id, record }: SeenContainer): Deno.FsFile {
  if (record?.log === undefined) {
    throw new PaddockError(`nobody keeps what container '${id}' prints`, {
      hint: record?.detached ? "it was run with --log-driver none" : "only those in the background have a log: run -d",
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

function copy(file: Deno.FsFile, write: (bytes: Uint8Array) => void): void {
  const buffer = new Uint8Array(PIECE);
  for (let count = file.readSync(buffer); count !== null; count = file.readSync(buffer)) {
    write(buffer.subarray(0, count));
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
