/**
 * Compares the files of an unpacked layer with the archive that they were unpacked from.
 *
 * @module
 */
import { type ByteString, quoteName, toCBytes } from "../base/byte_string.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { type FileStat, listDirectory, O, openDirectory, readLinkAt, S, statAt, statFd } from "../kernel/fs.ts";
import { tryOpenInRoot } from "../kernel/in_root.ts";
import { isOpaque, isWhiteout, WHITEOUT_PREFIX } from "./lower_tree.ts";
import type { TarEntry, TarSink } from "./tar_entry.ts";
import { readLayerEntry } from "./whiteout.ts";

/** What is told of one layer; more differences than these help nobody. */
const MOST_FAULTS = 20;

const TYPE: Readonly<Record<Exclude<TarEntry["type"], "hardlink">, number>> = {
  file: S.IFREG,
  directory: S.IFDIR,
  symlink: S.IFLNK,
  character: S.IFCHR,
  block: S.IFBLK,
  fifo: S.IFIFO,
};

const CAPABILITY = toCBytes("security.capability");

/** Takes the archive's entries, and then compares. */
export class LayerCheck implements TarSink, Disposable {
  readonly #entries = new Map<ByteString, TarEntry>();
  readonly #faults: string[] = [];
  readonly #inodes = new Set<bigint>();
  readonly #root: Fd;

  /**
   * @param rootfs absolute path of the layer's files.
   * @param isLayer it has whiteouts.
   */
  constructor(rootfs: string, private readonly isLayer: boolean) {
    this.#root = openDirectory(rootfs);
  }

  [Symbol.dispose](): void {
    this.#root.close();
  }

  entry(entry: TarEntry): void {
    const parts = entry.path.split("/").filter((part) => part !== "" && part !== ".");
    // The later of two entries of one path is what counts.
    this.#entries.delete(parts.join("/"));
    this.#entries.set(parts.join("/"), entry);
  }

  data(): void {}

  end(): void {}

  /** What differs, in lines; none where all is as it was. To be called when the archive has come to its end. */
  compare(): readonly string[] {
    for (const [path, entry] of this.#entries) {
      if (this.#faults.length >= MOST_FAULTS) break;
      const meaning = this.isLayer ? readLayerEntry(path.split("/")) : { kind: "file" as const };
      if (meaning.kind === "file") this.#compareFile(path, entry);
      else if (meaning.kind === "hide") this.#compareWhiteout([...meaning.parent, meaning.name].join("/"));
      else if (meaning.kind === "opaque") this.#compareOpaque(meaning.directory.join("/"));
    }
    this.#findStrangers("");
    return this.#faults;
  }

  #compareFile(path: ByteString, entry: TarEntry): void {
    const flags = entry.type === "file" ? O.RDONLY | O.NONBLOCK | O.NOFOLLOW : O.PATH | O.NOFOLLOW;
    const fd = tryOpenInRoot(this.#root.number, path, flags);
    if (fd < 0) {
      if (!this.#isReplaced(path)) this.#fault(path, "is not there");
      return;
    }
    using file = new Fd(fd);
    const stat = statFd(fd, quoteName(path));
    this.#inodes.add(stat.ino);
    if (entry.type === "hardlink") return;
    if ((stat.mode & S.IFMT) !== TYPE[entry.type]) return this.#fault(path, `is no ${entry.type}`);
    for (const [what, found, wanted] of listFields(stat, entry)) {
      if (found !== wanted) this.#fault(path, `has ${what} ${found}, not ${wanted}`);
    }
    if (entry.type === "symlink" && readLinkAt(file.number, "") !== entry.linkPath) {
      this.#fault(path, "leads elsewhere");
    }
    if (entry.type === "file") this.#compareCapability(path, file.number, entry);
  }

  /** The attribute by which a program gets rights; of others the filesystem may not have taken all. */
  #compareCapability(path: ByteString, fd: number, { xattrs }: TarEntry): void {
    const value = new Uint8Array(64);
    const length = Math.max(calls.fgetxattr(fd, CAPABILITY, value), 0);
    const wanted = xattrs.find(({ name }) => name === "security.capability")?.value ?? [];
    if (value.subarray(0, length).join(" ") !== wanted.join(" ")) this.#fault(path, "has other capabilities");
  }

  #compareWhiteout(path: ByteString): void {
    if (this.#hasMark(path)) return;
    const fd = tryOpenInRoot(this.#root.number, path, O.PATH | O.NOFOLLOW);
    if (fd < 0) {
      return this.#isReplaced(path) ? undefined : this.#fault(path, "is to be removed of the layers below, and is not");
    }
    using file = new Fd(fd);
    const stat = statFd(file.number, quoteName(path));
    if (isWhiteout(stat)) this.#inodes.add(stat.ino);
  }

  #compareOpaque(path: ByteString): void {
    const fd = tryOpenInRoot(this.#root.number, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    if (fd < 0) return this.#isReplaced(path) ? undefined : this.#fault(path, "is no directory");
    using directory = new Fd(fd);
    if (!isOpaque(directory.number)) this.#fault(path, "is to hide the layers below, and does not");
  }

  /** Is the name hidden by a file, where the filesystem takes no device nodes? */
  #hasMark(path: ByteString): boolean {
    const slash = path.lastIndexOf("/") + 1;
    const mark = `${path.slice(0, slash)}${WHITEOUT_PREFIX}${path.slice(slash)}`;
    const fd = tryOpenInRoot(this.#root.number, mark, O.PATH | O.NOFOLLOW);
    if (fd >= 0) calls.close(fd);
    return fd >= 0;
  }

  /** Did a later entry put something else in the place of a directory above? */
  #isReplaced(path: ByteString): boolean {
    const parts = path.split("/");
    return parts.some((_, length) => {
      const above = this.#entries.get(parts.slice(0, length).join("/"));
      return length > 0 && above !== undefined && above.type !== "directory";
    });
  }

  /** Files that no entry has made. Directories may be made on the way to others. */
  #findStrangers(path: ByteString): void {
    const fd = tryOpenInRoot(this.#root.number, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    if (fd < 0) return;
    using directory = new Fd(fd);
    for (const { name } of listDirectory(directory.number, quoteName(path))) {
      if (this.#faults.length >= MOST_FAULTS) return;
      const stat = statAt(directory.number, name);
      if (stat === undefined) continue;
      const childPath = path === "" ? name : `${path}/${name}`;
      if ((stat.mode & S.IFMT) === S.IFDIR) this.#findStrangers(childPath);
      else if (this.isLayer && name.startsWith(WHITEOUT_PREFIX) && stat.size === 0) continue;
      else if (!this.#inodes.has(stat.ino)) this.#fault(childPath, "is not of the layer");
    }
  }

  #fault(path: ByteString, what: string): void {
    this.#faults.push(`${quoteName(path)} ${what}`);
  }
}

function listFields(stat: FileStat, entry: TarEntry): (readonly [string, string | number, string | number])[] {
  const octal = (mode: number): string => (mode & 0o7777).toString(8).padStart(4, "0");
  const isDevice = entry.type === "character" || entry.type === "block";
  return [
    ...(entry.type === "symlink" ? [] : [["mode", octal(stat.mode), octal(entry.mode)] as const]),
    ["owner", `${stat.uid}:${stat.gid}`, `${entry.uid}:${entry.gid}`],
    ...(entry.type === "file" ? [["size", stat.size, entry.size] as const] : []),
    ...(isDevice
      ? [["number", `${stat.rdevMajor}:${stat.rdevMinor}`, `${entry.devMajor}:${entry.devMinor}`] as const]
      : []),
    // A link to a file gives it its own time again.
    ...(entry.type === "file" && stat.nlink === 1
      ? [["time", `${stat.mtimeSec}.${stat.mtimeNsec}`, `${entry.mtimeSec}.${entry.mtimeNsec}`] as const]
      : []),
  ];
}
