/**
 * Makes the files of an archive below an open directory, and never outside it.
 *
 * Every path is split here; `..` is refused. The directory of an entry is opened in-root (lib/kernel/in_root.ts): symlinks
 * on the way lead inside the tree or nowhere. The last component is made by calls that never follow a symlink
 * (mkdirat, O_EXCL, symlinkat, linkat, mknodat); whatever is in its place is removed first, as GNU tar does. Hard links
 * are made to the name itself, found in-root as well.
 *
 * Order for one file: data, owner, mode (chown clears setuid), attributes (chown clears capabilities), times. Times of
 * directories come at the very end, as everything made inside changes them.
 *
 * A layer of an image goes into a directory of its own, over which an overlay is mounted: what it removes of the layers
 * below becomes the overlay's own marks (a character device 0:0, `trusted.overlay.opaque`), and a directory that it does
 * not mention takes owner, mode and attributes from the one below. Where containerd and docker differ from what
 * unpacking on top of one another would give, it is as they do: a directory made implicitly hides a symlink of a lower
 * layer, and a hard link reaches files of its own layer alone.
 *
 * @module
 */
import { type ByteString, decodeText, quoteName, toByteString, toCBytes } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import * as calls from "../kernel/file_calls.ts";
import { AT, check, E, encodeDevice, encodeTimes, O, procPath, S, statAt, statFd, writeAll } from "../kernel/fs.ts";
import { tryOpenInRoot } from "../kernel/in_root.ts";
import { removeTreeAt } from "../kernel/remove_tree.ts";
import { KernelError } from "../kernel/syscall.ts";
import { checkLimit, DEFAULT_LIMITS, type ExtractLimits } from "./extract_limits.ts";
import { LinkGuard } from "./link_guard.ts";
import {
  type DirectoryModel,
  isWhiteout,
  type LowerTree,
  OPAQUE_FILE,
  OPAQUE_XATTR,
  WHITEOUT_PREFIX,
} from "./lower_tree.ts";
import { ParentCache } from "./parent_cache.ts";
import { type LayerEntry, readLayerEntry } from "./whiteout.ts";
import type { TarEntry, TarSink } from "./tar_entry.ts";

/** What was made. */
export interface ExtractCounts {
  entries: number;
  /** Bytes of file data, holes not counted. */
  bytes: number;
}

/** What becomes of files whose path the archive gives to something else. */
export interface Displacing {
  /** Descriptor of a directory that they are moved to, on the same filesystem. */
  readonly directory: number;
  /** A file, or a directory with all in it, was moved there under that number. */
  readonly moved: (path: ByteString, index: number) => void;
  /** Something is gone that files were reached by. */
  readonly lost: () => void;
}

const S_ISGID = 0o2000;
const CURRENT = toCBytes(".");
const OPAQUE_VALUE = Uint8Array.of(0x79);

interface DirectoryTimes {
  readonly sec: number;
  readonly nsec: number;
}

/** The sink of a TarReader that makes what it is told of. Dispose of it to close its descriptors. */
export class TreeExtractor implements TarSink, Disposable {
  readonly counts: ExtractCounts = { entries: 0, bytes: 0 };
  /** What could not be kept and does no harm: attributes that the filesystem does not take. At most ten lines. */
  readonly warnings: string[] = [];
  readonly #root: number;
  readonly #limits: ExtractLimits;
  readonly #parents: ParentCache;
  readonly #links: LinkGuard;
  readonly #directories = new Map<ByteString, DirectoryTimes>();
  readonly #times = new Uint8Array(32);
  #entry: TarEntry | undefined;
  #file = -1;
  readonly #madeByRoot = Deno.uid() === 0 && Deno.gid() === 0;
  readonly #notPlain: number;
  #hasSetgid: boolean;
  readonly #lower: LowerTree | undefined;
  /** True while the data of an entry is of no use. */
  #ignored = false;
  #displacedCount = 0;

  /**
   * @param root descriptor of an empty directory; stays the caller's.
   * @param lower for a layer of an image: those below it.
   * @param displacing absent where what is replaced is of no more use.
   */
  constructor(
    root: number,
    limits: ExtractLimits = DEFAULT_LIMITS,
    lower?: LowerTree,
    private readonly displacing?: Displacing,
  ) {
    this.#root = root;
    this.#lower = lower;
    this.#links = new LinkGuard(lower !== undefined);
    this.#limits = limits;
    this.#parents = new ParentCache(root);
    this.#notPlain = 0o7000 | Deno.umask();
    this.#hasSetgid = (statFd(root, "the new directory").mode & S_ISGID) !== 0;
    const model = lower?.directory([]);
    if (model !== undefined) this.#copyModel(root, "", model);
  }

  [Symbol.dispose](): void {
    if (this.#file >= 0) calls.close(this.#file);
    this.#file = -1;
    this.#parents[Symbol.dispose]();
  }

  /** Is the data of this entry of no use, and lands nowhere? */
  get isIgnoring(): boolean {
    return this.#ignored;
  }

  entry(entry: TarEntry): void {
    checkLimit("entries", ++this.counts.entries, this.#limits.entries);
    this.#entry = entry;
    this.#parents.settle();
    const parts = this.#split(entry.path, entry);
    this.#guard(entry, parts);
    const meaning: LayerEntry = this.#lower === undefined ? { kind: "file" } : readLayerEntry(parts);
    this.#ignored = meaning.kind !== "file";
    try {
      if (meaning.kind === "file") this.#make(entry, parts);
      else this.#remark(entry, meaning);
    } catch (error) {
      throw explain(error, entry.path);
    }
  }

  /** Some tools write names in layers from the root on, and docker takes them so. */
  #split(path: ByteString, { path: entry }: TarEntry): ByteString[] {
    return splitPath(this.#lower === undefined ? path : path.replace(/^\/+/, ""), entry, this.#limits);
  }

  /** Refuses what goes through a link that leads out, and remembers the links there are. */
  #guard(entry: TarEntry, parts: readonly ByteString[]): void {
    const target = entry.type === "hardlink" ? this.#split(entry.linkPath, entry) : [];
    for (const path of [parts, target]) {
      const link = this.#links.find(path);
      if (link !== undefined) throw refusal(entry.path, `goes through the link ${quoteName(link)}, which leads out`);
    }
    if (entry.type === "symlink") this.#links.add(parts, entry.linkPath);
    else this.#links.remove(parts);
  }

  data(bytes: Uint8Array<ArrayBuffer>, offset: number): void {
    this.counts.bytes += bytes.length;
    checkLimit("bytes of files", this.counts.bytes, this.#limits.bytes);
    if (this.#ignored) return;
    try {
      // Without holes the descriptor stands where the data belongs.
      writeAll(this.#file, bytes, "its data", this.#entry!.sparse ? offset : undefined);
    } catch (error) {
      throw explain(error, this.#entry!.path);
    }
  }

  end(): void {
    if (this.#file < 0) return;
    try {
      this.#finishFile(this.#entry!);
    } catch (error) {
      throw explain(error, this.#entry!.path);
    } finally {
      calls.close(this.#file);
      this.#file = -1;
    }
  }

  /** Sets the times of all directories; called once, after the last entry. */
  finish(): void {
    for (const [path, { sec, nsec }] of this.#directories) {
      const fd = tryOpenInRoot(this.#root, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
      // Something else took its place later in the archive.
      if (fd === -E.NOENT || fd === -E.NOTDIR || fd === -E.LOOP) continue;
      check(quoteName(path), "openat2", fd);
      const result = calls.utimensat(fd, null, encodeTimes(sec, nsec, this.#times), 0);
      calls.close(fd);
      check(quoteName(path), "utimensat", result);
    }
  }

  #make(entry: TarEntry, parts: ByteString[]): void {
    const name = parts.pop();
    if (name === undefined) {
      if (entry.type !== "directory") {
        throw refusal(entry.path, "stands for the root directory itself and is no directory");
      }
      this.#applyToDirectory(entry, "");
      return;
    }
    const parentPath = parts.join("/");
    const parent = this.#openParent(parts);
    const cName = toCBytes(name);
    switch (entry.type) {
      case "directory":
        return this.#makeDirectory(entry, parent, cName, parentPath === "" ? name : `${parentPath}/${name}`);
      case "file":
        return this.#makeFile(entry, parent, cName);
      case "symlink":
        return this.#makeSymlink(entry, parent, name, cName);
      case "hardlink":
        return this.#makeHardLink(entry, parent, name, cName);
      default:
        return this.#makeNode(entry, parent, name, cName);
    }
  }

  #makeDirectory(entry: TarEntry, parent: number, name: calls.CName, path: ByteString): void {
    let result = calls.mkdirat(parent, name, 0o700);
    let replaces = false;
    if (result === -E.EXIST) {
      // A directory that is there stays and takes the new owner, mode and times; anything else gives way.
      const fd = calls.openat(parent, name, O.PATH | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC);
      if (fd >= 0) {
        calls.close(fd);
        result = 0;
      } else {
        this.#remove(parent, name);
        result = calls.mkdirat(parent, name, 0o700);
        replaces = true;
      }
    }
    check(quoteName(entry.path), "mkdirat", result);
    // What was in its place, a whiteout or a file, had hidden the directory of the layers below.
    if (replaces && this.#lower !== undefined) this.#markOpaque(parent, name);
    this.#applyToDirectory(entry, path);
  }

  /** Makes what a layer says of those below it. */
  #remark(entry: TarEntry, meaning: LayerEntry): void {
    if (meaning.kind === "refuse") throw refusal(entry.path, meaning.why);
    if (meaning.kind === "opaque") return this.#markOpaque(this.#openParent(meaning.directory), CURRENT);
    if (meaning.kind !== "hide") return;
    const parent = this.#openParent(meaning.parent);
    const cName = toCBytes(meaning.name);
    const there = statAt(parent, meaning.name);
    // This layer's own files stay: a whiteout is about those below. Only a directory would show them still.
    if (there !== undefined) return (there.mode & S.IFMT) === S.IFDIR ? this.#markOpaque(parent, cName) : undefined;
    const result = calls.mknodat(parent, cName, S.IFCHR, 0);
    if (refusesMarks(result)) this.#markByName(parent, `${WHITEOUT_PREFIX}${meaning.name}`);
    else ensure(entry.path, "mknodat", result);
  }

  #markOpaque(parent: number, name: calls.CName): void {
    const what = quoteName(this.#entry!.path);
    const flags = O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC;
    const fd = check(what, "open", calls.openat(parent, name, flags));
    const result = calls.fsetxattr(fd, toCBytes(OPAQUE_XATTR), OPAQUE_VALUE);
    if (refusesMarks(result)) this.#markByName(fd, OPAQUE_FILE);
    calls.close(fd);
    if (!refusesMarks(result)) check(what, "setxattr trusted.overlay.opaque", result);
  }

  /** An empty file in the place of a mark that the filesystem does not take; there it is no overlay's lower layer either. */
  #markByName(directory: number, name: ByteString): void {
    const fd = calls.openat(directory, toCBytes(name), O.WRONLY | O.CREAT | O.NOFOLLOW | O.CLOEXEC, 0o600);
    calls.close(check(quoteName(name), "openat", fd));
  }

  /** The directory of an entry; those of a layer that are missing are made like the ones below. */
  #openParent(parts: readonly ByteString[]): number {
    const path = parts.join("/");
    if (this.#lower === undefined) return this.#parents.open(path);
    const found = this.#parents.find(path);
    if (found >= 0) return found;
    if (found !== -E.NOENT && found !== -E.NOTDIR) return check(quoteName(path), "open", found);
    const parent = this.#openParent(parts.slice(0, -1));
    const name = parts.at(-1)!;
    const cName = toCBytes(name);
    const there = statAt(parent, name);
    // A symlink whose target this layer has not got: that is made, inside the tree.
    if (there !== undefined && (there.mode & S.IFMT) === S.IFLNK) return this.#parents.open(path);
    if (there !== undefined && !isWhiteout(there)) return check(quoteName(path), "open", -E.NOTDIR);
    if (there !== undefined) this.#remove(parent, cName);
    check(quoteName(path), "mkdirat", calls.mkdirat(parent, cName, 0o755));
    if (there !== undefined) this.#markOpaque(parent, cName);
    const made = check(quoteName(path), "open", this.#parents.find(path));
    const model = there === undefined ? this.#lower.directory(parts) : undefined;
    if (model !== undefined) this.#copyModel(made, path, model);
    return made;
  }

  /** Gives a directory that the layer does not mention what the one below has. */
  #copyModel(directory: number, path: ByteString, { stat, xattrs }: DirectoryModel): void {
    const what = quoteName(path);
    const name = toCBytes(procPath(directory, "."));
    check(what, "fchownat", calls.fchownat(AT.FDCWD, name, stat.uid, stat.gid, 0));
    check(what, "fchmodat", calls.fchmodat(AT.FDCWD, name, stat.mode & 0o7777));
    this.#hasSetgid ||= (stat.mode & S_ISGID) !== 0;
    for (const xattr of xattrs) {
      const result = calls.lsetxattr(name, toCBytes(xattr.name), xattr.value);
      if (result < 0 && result !== -E.OPNOTSUPP) check(what, `setxattr ${decodeText(xattr.name)}`, result);
    }
    this.#directories.set(path, { sec: stat.mtimeSec, nsec: stat.mtimeNsec });
  }

  #applyToDirectory(entry: TarEntry, path: ByteString): void {
    const what = quoteName(entry.path);
    const fd = check(what, "openat2", tryOpenInRoot(this.#root, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW));
    try {
      check(what, "fchown", calls.fchown(fd, entry.uid, entry.gid));
      check(what, "fchmod", calls.fchmod(fd, entry.mode));
      this.#hasSetgid ||= (entry.mode & S_ISGID) !== 0;
      for (const { name, value } of entry.xattrs) {
        this.#settleXattr(entry, name, isRefused(name) ? 0 : calls.fsetxattr(fd, toCBytes(name), value));
      }
    } finally {
      calls.close(fd);
    }
    this.#directories.set(path, { sec: entry.mtimeSec, nsec: entry.mtimeNsec });
  }

  #makeFile(entry: TarEntry, parent: number, name: calls.CName): void {
    const flags = O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW | O.CLOEXEC;
    const mode = this.#isPlain(entry) ? entry.mode : 0o600;
    let fd = calls.openat(parent, name, flags, mode);
    if (fd === -E.EXIST) {
      this.#remove(parent, name);
      fd = calls.openat(parent, name, flags, mode);
    }
    ensure(entry.path, "openat", fd);
    this.#file = fd;
  }

  /**
   * Will the file be made with its owner and mode right at once? That saves two calls for most files: root's, without
   * special bits or ones that the umask takes away, in a tree where no directory hands on its group.
   */
  #isPlain(entry: TarEntry): boolean {
    return this.#madeByRoot && !this.#hasSetgid && entry.uid === 0 && entry.gid === 0 &&
      (entry.mode & this.#notPlain) === 0;
  }

  #finishFile(entry: TarEntry): void {
    const fd = this.#file;
    const what = entry.path;
    if (entry.sparse) ensure(what, "ftruncate", calls.ftruncate(fd, entry.size));
    if (!this.#isPlain(entry)) {
      ensure(what, "fchown", calls.fchown(fd, entry.uid, entry.gid));
      ensure(what, "fchmod", calls.fchmod(fd, entry.mode));
    }
    for (const { name, value } of entry.xattrs) {
      this.#settleXattr(entry, name, isRefused(name) ? 0 : calls.fsetxattr(fd, toCBytes(name), value));
    }
    ensure(what, "utimensat", calls.utimensat(fd, null, this.#encodeTimes(entry), 0));
  }

  #makeSymlink(entry: TarEntry, parent: number, name: ByteString, cName: calls.CName): void {
    if (entry.linkPath === "" || entry.linkPath.includes("\0")) throw refusal(entry.path, "is a symlink to nothing");
    const target = toCBytes(entry.linkPath);
    this.#replace(parent, cName, entry, "symlinkat", () => calls.symlinkat(target, parent, cName));
    this.#applyToNode(entry, parent, name, cName);
  }

  #makeHardLink(entry: TarEntry, parent: number, name: ByteString, cName: calls.CName): void {
    const parts = this.#split(entry.linkPath, entry);
    const targetName = parts.pop();
    if (targetName === undefined) throw refusal(entry.path, "is a hard link to the root directory");
    const targetParent = this.#parents.find(parts.join("/"));
    const target = toCBytes(targetName);
    const link = (): number => targetParent < 0 ? targetParent : calls.linkat(targetParent, target, parent, cName, 0);
    let result = link();
    if (result === -E.EXIST) {
      const there = statAt(parent, name);
      const wanted = statAt(targetParent, targetName);
      if (wanted !== undefined && there?.ino === wanted.ino && there.dev === wanted.dev) return;
      this.#remove(parent, cName);
      result = link();
    }
    if (result === -E.NOENT || result === -E.NOTDIR) {
      const where = this.#lower === undefined ? "the archive" : "the same layer";
      throw refusal(
        entry.path,
        `is a hard link to ${quoteName(entry.linkPath)}, which is not in ${where} before it`,
      );
    }
    check(quoteName(entry.path), "linkat", result);
  }

  #makeNode(entry: TarEntry, parent: number, name: ByteString, cName: calls.CName): void {
    const type = entry.type === "fifo" ? S.IFIFO : entry.type === "block" ? S.IFBLK : S.IFCHR;
    const { devMajor, devMinor } = entry;
    if (devMajor < 0 || devMajor > 0xfff || devMinor < 0 || devMinor > 0xfffff) {
      throw refusal(entry.path, `has a device number out of range: ${devMajor}:${devMinor}`);
    }
    const device = entry.type === "fifo" ? 0 : encodeDevice(devMajor, devMinor);
    this.#replace(parent, cName, entry, "mknodat", () => calls.mknodat(parent, cName, type | 0o600, device));
    this.#applyToNode(entry, parent, name, cName);
  }

  /** Owner, mode, attributes and times of what has no descriptor: symlinks, devices, fifos. */
  #applyToNode(entry: TarEntry, parent: number, name: ByteString, cName: calls.CName): void {
    const what = entry.path;
    ensure(what, "fchownat", calls.fchownat(parent, cName, entry.uid, entry.gid, AT.SYMLINK_NOFOLLOW));
    // It was made a moment ago and is no symlink; a symlink has no mode of its own.
    if (entry.type !== "symlink") ensure(what, "fchmodat", calls.fchmodat(parent, cName, entry.mode));
    for (const xattr of entry.xattrs) {
      if (isRefused(xattr.name)) continue;
      const path = toCBytes(procPath(parent, name));
      this.#settleXattr(entry, xattr.name, calls.lsetxattr(path, toCBytes(xattr.name), xattr.value));
    }
    const times = this.#encodeTimes(entry);
    ensure(what, "utimensat", calls.utimensat(parent, cName, times, AT.SYMLINK_NOFOLLOW));
  }

  /** Makes a name, removing what has it already. */
  #replace(parent: number, name: calls.CName, entry: TarEntry, call: string, make: () => number): void {
    let result = make();
    if (result === -E.EXIST) {
      this.#remove(parent, name);
      result = make();
    }
    ensure(entry.path, call, result);
  }

  /** Removes a name; a directory only when it is empty, as GNU tar does, but in a layer with all that is in it. */
  #remove(parent: number, name: calls.CName): void {
    const what = quoteName(this.#entry!.path);
    // Descriptors that were kept may be of what goes, or have come through it.
    this.#parents.clear();
    if (this.#displace(parent, name)) return;
    let result = calls.unlinkat(parent, name, 0);
    if (result === -E.ISDIR) result = calls.unlinkat(parent, name, AT.REMOVEDIR);
    if (result === -E.NOTEMPTY && this.#lower !== undefined) {
      removeTreeAt(parent, toByteString(name.subarray(0, -1)));
      result = 0;
    }
    if (result === -E.NOTEMPTY) throw refusal(this.#entry!.path, "would replace a directory that is not empty");
    check(what, "unlinkat", result);
  }

  /** Moves what has content that the archive is to be written from again; false where it can go. */
  #displace(parent: number, name: calls.CName): boolean {
    if (this.displacing === undefined) return false;
    const type = (statAt(parent, toByteString(name.subarray(0, -1)))?.mode ?? 0) & S.IFMT;
    if (type === S.IFLNK) this.displacing.lost();
    if (type !== S.IFREG && (type !== S.IFDIR || this.#lower === undefined)) return false;
    const { directory, moved } = this.displacing;
    const index = this.#displacedCount++;
    const result = calls.renameat2(parent, name, directory, toCBytes(String(index)), 0);
    ensure(this.#entry!.path, "renameat2", result);
    moved(this.#split(this.#entry!.path, this.#entry!).join("/"), index);
    return true;
  }

  /** A capability or label that is lost changes what the program may do: an error. Others are noted. */
  #settleXattr(entry: TarEntry, name: ByteString, result: number): void {
    if (isRefused(name)) return this.#warn(`${quoteName(entry.path)}: attribute ${quoteName(name)} left out`);
    if (result >= 0) return;
    if (name === "security.capability" || (result !== -E.OPNOTSUPP && result !== -E.PERM)) {
      throw new KernelError(`setxattr ${decodeText(name)} on`, quoteName(entry.path), -result);
    }
    this.#warn(`${quoteName(entry.path)}: the filesystem does not take attribute ${quoteName(name)}`);
  }

  #warn(line: string): void {
    if (this.warnings.length < 10) this.warnings.push(line);
  }

  #encodeTimes(entry: TarEntry): Uint8Array<ArrayBuffer> {
    return encodeTimes(entry.mtimeSec, entry.mtimeNsec, this.#times);
  }
}

/**
 * The components of an entry's path; "." is dropped.
 *
 * @throws PaddockError for an absolute path, "..", a NUL, and what is beyond the limits.
 */
export function splitPath(path: ByteString, entry: ByteString, limits: ExtractLimits): ByteString[] {
  if (path.includes("\0")) throw refusal(entry, "has a NUL byte in its name");
  if (path.startsWith("/")) {
    throw refusal(entry, path === entry ? "has an absolute name" : `is a link that leads out: ${quoteName(path)}`);
  }
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.includes("..")) {
    throw refusal(entry, path === entry ? 'leads out through ".."' : `is a link that leads out: ${quoteName(path)}`);
  }
  checkLimit("bytes in a path", path.length, limits.pathBytes);
  checkLimit("directories in a path", parts.length, limits.depth);
  if (parts.some((part) => part.length > 255)) throw refusal(entry, "has a name longer than 255 bytes");
  return parts;
}

/** Does a filesystem not take an overlay's marks, being one itself, or another that has not got them? */
function refusesMarks(result: number): boolean {
  return result === -E.PERM || result === -E.OPNOTSUPP;
}

/** Of the overlay filesystem itself: from an archive they would hide or redirect files of other layers. */
function isRefused(name: ByteString): boolean {
  return name.startsWith("trusted.overlay.") || name.startsWith("user.overlay.");
}

function refusal(path: ByteString, why: string): PaddockError {
  return new PaddockError(`archive: entry ${quoteName(path)} ${why}`, {
    hint: "nothing of it was kept; use an archive as docker export or docker save writes it",
  });
}

/** `check` for the calls made for every file: quotes the name only when there is something to say. */
function ensure(path: ByteString, call: string, result: number): void {
  if (result < 0) check(quoteName(path), call, result);
}

/** Says which entry a failed call was for. */
function explain(error: unknown, path: ByteString): unknown {
  if (!(error instanceof KernelError)) return error;
  const hint = error.errno === E.NOSPC
    ? "free some space, or keep the store elsewhere with --data-root"
    : error.errno === E.PERM
    ? "unpacking owners and devices needs root"
    : undefined;
  return new PaddockError(`extracting ${quoteName(path)}: ${error.message}`, {
    cause: error,
    ...(hint === undefined ? {} : { hint }),
  });
}
