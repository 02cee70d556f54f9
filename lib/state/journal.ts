/**
 * The journal of what happens to containers: a file in the state root, one line of JSON for each event, whoever writes it.
 *
 * A line goes to its end in one write (O_APPEND): lines of several writers do not mix, and nobody waits for anybody. When
 * the file has grown it is renamed, and the one that was renamed before goes. `/run` forgets it at a boot.
 *
 * @module
 */
import { AT, LOCK, O } from "../kernel/constants.ts";
import { syscall } from "../kernel/syscall.ts";
import type { ContainerRecord } from "./record.ts";
import { ensurePrivateDirectory } from "./root.ts";

/** The names of the file and of the one before it; no container can be called so. */
export const JOURNAL_FILE = ".events";
const FORMER_FILE = ".events.1";

/** Bytes from which on a new file is begun. */
const LARGEST = 4 << 20;

/** What is said of the container in each of its events. */
export interface Subject {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Something that happened. */
export interface JournalEvent extends Subject {
  /** Nanoseconds since the epoch. */
  readonly time: bigint;
  /** docker's word: `create`, `start`, `die`, … */
  readonly event: string;
  /** What else is to be said, by docker's names. */
  readonly attributes: Readonly<Record<string, string>>;
}

/** What is said of a container. */
export function describeSubject(record: Pick<ContainerRecord, "id" | "name" | "image" | "imageConfig">): Subject {
  const { id, name = id, image, imageConfig } = record;
  return { id, name, image, labels: imageConfig?.labels ?? {} };
}

/**
 * Writes an event down; not those of containers from bundles, which whoever makes them watches over. One that cannot be
 * written is no reason for anything to fail.
 */
export function recordEvent(
  root: string,
  event: string,
  record: (Parameters<typeof describeSubject>[0] & Pick<ContainerRecord, "bundle">) | undefined,
  attributes: Readonly<Record<string, string>> = {},
): void {
  if (record === undefined || record.bundle !== undefined) return;
  const now = Date.now();
  const time = `${String(Math.floor(now / 1000)).padStart(10, "0")}.${String(now % 1000).padStart(3, "0")}000000`;
  const line = new TextEncoder().encode(
    `${JSON.stringify({ time, event, ...attributes, ...describeSubject(record) })}\n`,
  );
  const path = `${root}/${JOURNAL_FILE}`;
  const flags = O.WRONLY | O.CREAT | O.CLOEXEC | O.NOFOLLOW | O_APPEND;
  const fd = syscall("openat", AT.FDCWD, path, flags, 0o600);
  if (fd < 0) return;
  syscall("write", fd, line, line.length);
  if (syscall("lseek", fd, 0, SEEK_END) > LARGEST) rotate(root, fd);
  syscall("close", fd);
}

const O_APPEND = 0o2000;
const SEEK_END = 2;

/** One of several does it, and only to the file that it saw. */
function rotate(root: string, fd: number): void {
  if (syscall("flock", fd, LOCK.EX | LOCK.NB) < 0) return;
  const path = `${root}/${JOURNAL_FILE}`;
  if (fileOf(path) !== fileOf(`/proc/self/fd/${fd}`)) return;
  syscall("renameat", AT.FDCWD, path, AT.FDCWD, `${root}/${FORMER_FILE}`);
}

function fileOf(path: string): number | undefined {
  try {
    return Deno.statSync(path).ino ?? undefined;
  } catch {
    return undefined;
  }
}

/** Which events are wanted; nanoseconds since the epoch. */
export interface Span {
  /** Absent: none that has happened already. */
  readonly since?: bigint;
  /** Absent: for ever. */
  readonly until?: bigint;
}

/**
 * Gives the events of a span one by one, those that are to come as they come.
 *
 * @throws PaddockError where the state root cannot be trusted.
 */
export async function readJournal(root: string, span: Span, take: (event: JournalEvent) => void): Promise<void> {
  ensurePrivateDirectory(root);
  const now = BigInt(Date.now()) * 1_000_000n;
  const since = span.since ?? now;
  const isOver = span.until !== undefined && span.until <= now;
  // Before the first look: what is written in between wakes us.
  using watch = isOver ? undefined : Deno.watchFs(root, { recursive: false });
  const give = (event: JournalEvent): void => {
    if (event.time >= since && (span.until === undefined || event.time <= span.until)) take(event);
  };
  using lines = new Lines(root, give);
  if (span.since !== undefined) lines.readFormer();
  lines.read();
  if (watch === undefined) return;
  const left = span.until === undefined ? undefined : Number((span.until - now) / 1_000_000n);
  const timer = left === undefined ? undefined : setTimeout(() => watch.close(), Math.min(left, 2 ** 31 - 1));
  for await (const _ of watch) lines.read();
  lines.read();
  clearTimeout(timer);
}

/** The journal's lines, each once, however often the file is renamed meanwhile. */
class Lines implements Disposable {
  #file: Deno.FsFile | undefined;
  #rest = "";
  readonly #decoder = new TextDecoder();

  constructor(private readonly root: string, private readonly give: (event: JournalEvent) => void) {}

  readFormer(): void {
    using file = this.#open(FORMER_FILE);
    if (file !== undefined) this.#drain(file);
  }

  read(): void {
    this.#file ??= this.#open(JOURNAL_FILE);
    if (this.#file === undefined) return;
    this.#drain(this.#file);
    if (this.#file.statSync().ino === fileOf(`${this.root}/${JOURNAL_FILE}`)) return;
    // It was renamed: what was written to it until then is read, and a new one begins.
    this.#drain(this.#file);
    this.#file.close();
    this.#file = this.#open(JOURNAL_FILE);
    if (this.#file !== undefined) this.#drain(this.#file);
  }

  [Symbol.dispose](): void {
    this.#file?.close();
  }

  #open(name: string): Deno.FsFile | undefined {
    try {
      return Deno.openSync(`${this.root}/${name}`);
    } catch {
      return undefined;
    }
  }

  #drain(file: Deno.FsFile): void {
    const buffer = new Uint8Array(64 * 1024);
    for (let count = file.readSync(buffer); count !== null; count = file.readSync(buffer)) {
      const lines = (this.#rest + this.#decoder.decode(buffer.subarray(0, count), { stream: true })).split("\n");
      this.#rest = lines.pop()!;
      for (const line of lines) {
        const event = parseLine(line);
        if (event !== undefined) this.give(event);
      }
    }
  }
}

/** Undefined for what is no event: the file is root's, and a disk may be full. */
export function parseLine(line: string): JournalEvent | undefined {
  try {
    const { time, event, id, name, image, labels, ...rest } = JSON.parse(line) as Record<string, unknown>;
    const [, seconds, nanoseconds] = /^(\d+)\.(\d{9})$/.exec(String(time))!;
    const attributes = Object.fromEntries(Object.entries(rest).map(([key, value]) => [key, String(value)]));
    // The launcher writes three digits.
    if (attributes["exitCode"] !== undefined) attributes["exitCode"] = String(Number(attributes["exitCode"]));
    return {
      time: BigInt(seconds!) * 1_000_000_000n + BigInt(nanoseconds!),
      event: String(event),
      id: String(id),
      name: String(name),
      image: String(image),
      labels: (labels ?? {}) as Record<string, string>,
      attributes,
    };
  } catch {
    return undefined;
  }
}
