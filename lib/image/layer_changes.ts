/**
 * What an overlay's upper directory changes of the layers below, as `docker diff` tells it.
 *
 * @module
 */
import { type ByteString, quoteName } from "../base/byte_string.ts";
import { Fd } from "../kernel/fd.ts";
import { type FileStat, listDirectory, O, S, statAt } from "../kernel/fs.ts";
import { openInRoot, tryOpenInRoot } from "../kernel/in_root.ts";
import { isOpaque, isWhiteout, type LowerTree, OPAQUE_FILE, WHITEOUT_PREFIX } from "./lower_tree.ts";

/** One changed path, absolute in the container. */
export interface Change {
  readonly kind: "added" | "changed" | "deleted";
  readonly path: ByteString;
}

/**
 * The changes, sorted by path.
 *
 * @param upper descriptor of the upper directory, which a container may be changing meanwhile.
 * @param lower the layers below.
 * @param openMerged opens the layers below as one tree, for what a whole directory hides; closed here.
 * @param hasNamedMarks fuse-overlayfs made the upper directory.
 * @throws KernelError for what cannot be read.
 */
export function listChanges(
  upper: number,
  lower: LowerTree,
  openMerged: () => Fd,
  hasNamedMarks = false,
): Change[] {
  using lister = new ChangeLister(upper, lower, openMerged, hasNamedMarks);
  lister.visit([]);
  return lister.changes.sort((a, b) => a.path < b.path ? -1 : a.path > b.path ? 1 : 0);
}

class ChangeLister implements Disposable {
  readonly changes: Change[] = [];
  #merged: Fd | undefined;

  constructor(
    private readonly upper: number,
    private readonly lower: LowerTree,
    private readonly openMerged: () => Fd,
    private readonly hasNamedMarks: boolean,
  ) {}

  [Symbol.dispose](): void {
    this.#merged?.close();
  }

  /** @param isFresh nothing below is seen here. */
  visit(parts: readonly ByteString[], isFresh = false): void {
    const path = parts.join("/");
    using directory = openInRoot(this.upper, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    const hides = isFresh || isOpaque(directory.number);
    const names = new Set<ByteString>();
    for (const { name } of listDirectory(directory.number, quoteName(path))) {
      names.add(name);
      const stat = statAt(directory.number, name);
      if (stat !== undefined && name.startsWith(WHITEOUT_PREFIX) && this.hasNamedMarks) {
        this.#noteMark(parts, name);
      } else if (stat !== undefined) this.#look([...parts, name], stat, hides);
    }
    if (hides && !isFresh) this.#listHidden(parts, names);
  }

  #look(parts: readonly ByteString[], stat: FileStat, hides: boolean): void {
    const below = this.lower.stat(parts);
    if (isWhiteout(stat)) {
      if (below !== undefined) this.#note("deleted", parts);
      return;
    }
    this.#note(below === undefined ? "added" : "changed", parts);
    if (!isDirectory(stat)) return;
    const covers = below !== undefined && isDirectory(below);
    this.visit(parts, (hides && !covers) || below === undefined || !covers);
  }

  /** fuse-overlayfs marks by name what was removed where it can make no device nodes. */
  #noteMark(parts: readonly ByteString[], name: ByteString): void {
    const hidden = [...parts, name.slice(WHITEOUT_PREFIX.length)];
    if (name !== OPAQUE_FILE && this.lower.stat(hidden) !== undefined) this.#note("deleted", hidden);
  }

  /** Names of a directory below that is hidden as a whole. */
  #listHidden(parts: readonly ByteString[], seen: ReadonlySet<ByteString>): void {
    this.#merged ??= this.openMerged();
    const fd = tryOpenInRoot(this.#merged.number, parts.join("/"), O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    if (fd < 0) return;
    using directory = new Fd(fd);
    for (const { name } of listDirectory(directory.number)) {
      if (!seen.has(name)) this.#note("deleted", [...parts, name]);
    }
  }

  #note(kind: Change["kind"], parts: readonly ByteString[]): void {
    this.changes.push({ kind, path: `/${parts.join("/")}` });
  }
}

function isDirectory({ mode }: FileStat): boolean {
  return (mode & S.IFMT) === S.IFDIR;
}
