/**
 * A layer of the store as the archive that it was unpacked from, byte for byte.
 *
 * @module
 */
import { type ByteString, quoteName } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { AT, check, E, O, openDirectory, S, statFd, toCText } from "../kernel/fs.ts";
import { tryOpenInRoot } from "../kernel/in_root.ts";
import { DISPLACED_DIRECTORY, readSplitRecords, type SplitRecord, TAR_SPLIT_FILE } from "./tar_split.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Bytes of a frame, packed or not: as much as the writer ever makes, with room. */
const MOST_FRAME = 4 << 20;
const CHUNK = 1 << 20;

/** Is there all that it takes to write the layer's archive again? @param directory absolute path of the layer's */
export function hasLayerArchive(directory: string): boolean {
  const fd = calls.openat(AT.FDCWD, toCText(`${directory}/${TAR_SPLIT_FILE}`), O.PATH | O.CLOEXEC);
  if (fd >= 0) calls.close(fd);
  return fd >= 0;
}

/**
 * Writes the archive of a layer.
 *
 * @param directory absolute path of the layer's.
 * @param write takes the archive's bytes, valid during the call.
 * @throws PaddockError where a file of it is not there any more, or is shorter.
 */
export async function readLayerArchive(
  directory: string,
  write: (bytes: Bytes) => void | Promise<void>,
): Promise<void> {
  using files = new LayerFiles(directory);
  const moves = await listMoves(directory);
  const buffer = new Uint8Array(CHUNK);
  let count = 0;
  for await (const record of records(directory)) {
    count++;
    if (record.kind === "bytes") await write(record.bytes);
    if (record.kind !== "content") continue;
    const fd = files.open(whereNow(record.path, moves, count));
    for (let done = 0; done < record.length;) {
      const part = buffer.subarray(0, Math.min(CHUNK, record.length - done));
      const got = check(quoteName(record.path), "pread64", calls.pread(fd, part, record.offset + done));
      if (got === 0) throw damaged(directory, record.path, "is shorter than it was");
      await write(part.subarray(0, got));
      done += got;
    }
  }
}

/** A path that was displaced, and before which record it still led to what is meant. */
interface Move {
  readonly path: ByteString;
  readonly to: string;
  readonly before: number;
}

async function listMoves(directory: string): Promise<Move[]> {
  const moves: Move[] = [];
  let count = 0;
  for await (const record of records(directory)) {
    count++;
    if (record.kind !== "displaced") continue;
    moves.push({ path: record.path, to: `${DISPLACED_DIRECTORY}/${record.index}`, before: count });
  }
  return moves;
}

/** Where the file lies, below the layer's directory, that was at a path when a record was made. */
function whereNow(path: ByteString, moves: readonly Move[], count: number): ByteString {
  const move = moves.find((move) => count < move.before && (path === move.path || path.startsWith(`${move.path}/`)));
  return move === undefined ? `rootfs/${path}` : move.to + path.slice(move.path.length);
}

async function* records(directory: string): AsyncGenerator<SplitRecord, void, void> {
  const { inflateRawSync } = await import("node:zlib");
  using file = Deno.openSync(`${directory}/${TAR_SPLIT_FILE}`);
  const head = new Uint8Array(8);
  const view = new DataView(head.buffer);
  while (fill(file, head, directory)) {
    const [packedLength, length] = [view.getUint32(0, true), view.getUint32(4, true)];
    const packed = new Uint8Array(Math.min(packedLength, MOST_FRAME));
    if (packedLength > MOST_FRAME || length > MOST_FRAME || !fill(file, packed, directory)) throw cut(directory);
    yield* readSplitRecords(unpack(packed, length, directory));
  }

  function unpack(packed: Bytes, length: number, directory: string): Bytes {
    try {
      const frame = inflateRawSync(packed, { maxOutputLength: length });
      if (frame.length === length) return new Uint8Array(frame.buffer, frame.byteOffset, frame.length) as Bytes;
    } catch {
      // Said below.
    }
    throw cut(directory);
  }
}

/** Reads as much as the buffer takes; false at the end. */
function fill(file: Deno.FsFile, into: Bytes, directory: string): boolean {
  for (let at = 0; at < into.length;) {
    const got = file.readSync(into.subarray(at));
    if (got === null) {
      if (at === 0) return false;
      throw cut(directory);
    }
    at += got;
  }
  return true;
}

/** The files of a layer, the last one kept open. */
class LayerFiles implements Disposable {
  readonly #directories = new Map<string, Fd>();
  #path: ByteString | undefined;
  #file: Fd | undefined;

  constructor(private readonly directory: string) {}

  [Symbol.dispose](): void {
    this.#file?.close();
    for (const fd of this.#directories.values()) fd.close();
  }

  /** @param path below the layer's directory: `rootfs/…`, `displaced/N` */
  open(path: ByteString): number {
    if (path === this.#path) return this.#file!.number;
    this.#file?.close();
    this.#path = undefined;
    const slash = path.indexOf("/");
    const root = this.#root(path.slice(0, slash));
    const inside = path.slice(slash + 1);
    const fd = tryOpenInRoot(root, inside, O.RDONLY | O.NONBLOCK | O.NOCTTY | O.NOFOLLOW);
    if (fd === -E.NOENT || fd === -E.NOTDIR || fd === -E.LOOP) throw damaged(this.directory, inside, "is not there");
    this.#file = new Fd(check(quoteName(inside), "openat2", fd));
    if ((statFd(fd).mode & S.IFMT) !== S.IFREG) throw damaged(this.directory, inside, "is no file any more");
    this.#path = path;
    return fd;
  }

  #root(name: string): number {
    const known = this.#directories.get(name) ?? openDirectory(`${this.directory}/${name}`);
    this.#directories.set(name, known);
    return known.number;
  }
}

function damaged(directory: string, path: ByteString, what: string): PaddockError {
  const hex = directory.slice(directory.lastIndexOf("/") + 1);
  return new PaddockError(`layer sha256:${hex}: ${quoteName(path)} ${what}`, {
    hint: "the store was written to by somebody else: remove the image and get it again",
  });
}

function cut(directory: string): PaddockError {
  const hex = directory.slice(directory.lastIndexOf("/") + 1);
  return new PaddockError(`layer sha256:${hex}: what is kept of its archive is damaged`, {
    hint: "remove the image and get it again",
  });
}
