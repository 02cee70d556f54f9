/**
 * Remembers which layer or image a file holds, so that a second run need not read it: one small file for each, by device and inode.
 *
 * The file is its own lock: whoever imports holds it, others wait and then find the answer. It is written in place under
 * that lock; cut short by a crash it is no JSON, which reads as "not known".
 *
 * @module
 */
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { type FileStat, O, readWhole, toCText, writeAll } from "../kernel/fs.ts";
import { openLocked } from "./lock_file.ts";

/** An index file, locked until it is disposed of. */
export class SourceIndex implements Disposable {
  private constructor(
    private readonly layers: number,
    private readonly path: string,
    private readonly file: Fd,
    private readonly part: string | undefined,
  ) {}

  /**
   * Opens the file of a source and waits for its lock.
   *
   * @param layers descriptor of the store's `layers` directory.
   * @param part which image of several in the file; undefined where it is not said.
   * @throws KernelError
   */
  static open(layers: number, source: FileStat, part: string | undefined): SourceIndex {
    const path = describePath(source, part);
    return new SourceIndex(layers, path, openLocked(layers, path), part);
  }

  /** As `read`, without the lock and without making anything: for who only looks, and may not be root. */
  static peek(layers: number, source: FileStat, part: string | undefined): string | undefined {
    const fd = calls.openat(layers, toCText(describePath(source, part)), O.RDONLY | O.NOFOLLOW | O.CLOEXEC);
    if (fd < 0) return undefined;
    using file = new Fd(fd);
    return parseIndex(file, source, part);
  }

  /** What this very version of the source holds: the digest of a layer, or `image:` and that of a configuration. */
  read(source: FileStat): string | undefined {
    return parseIndex(this.file, source, this.part);
  }

  /** Notes it. A store that takes no more is no reason to fail: the next run imports again. */
  write(source: FileStat, holds: string): void {
    const text = `${JSON.stringify({ version: describeVersion(source), part: this.part, holds })}\n`;
    if (calls.ftruncate(this.file.number, 0) < 0) return;
    try {
      writeAll(this.file.number, new TextEncoder().encode(text), "index", 0);
    } catch {
      calls.ftruncate(this.file.number, 0);
    }
  }

  /** Removes the file, which is locked: who waits for it sees that it is gone. */
  remove(): void {
    calls.unlinkat(this.layers, toCText(this.path), 0);
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}

/** Changes whenever the file is written to: size, modification and change time to the nanosecond. */
function describeVersion({ size, mtimeSec, mtimeNsec, ctimeSec, ctimeNsec }: FileStat): string {
  return `${size} ${mtimeSec}.${mtimeNsec} ${ctimeSec}.${ctimeNsec}`;
}

function parseIndex(file: Fd, source: FileStat, part: string | undefined): string | undefined {
  try {
    const known: unknown = JSON.parse(new TextDecoder().decode(readWhole(file.number, 4096)));
    if (typeof known !== "object" || known === null || !("version" in known) || !("holds" in known)) {
      return undefined;
    }
    // Two long names may share a file.
    if (("part" in known ? known.part : undefined) !== part) return undefined;
    return known.version === describeVersion(source) && typeof known.holds === "string" ? known.holds : undefined;
  } catch {
    return undefined;
  }
}

function describePath({ dev, ino }: FileStat, part: string | undefined): string {
  const file = `sources/${dev.replace(":", "_")}-${ino}`;
  return part === undefined ? file : `${file}-${encodeURIComponent(part).replaceAll(".", "%2E").slice(0, 150)}`;
}
