/**
 * Which runs may be taken from the cache next time, and what their launcher has to look at again.
 *
 * A run is worked out from its words, from files of the host, and from what the kernel answers. The words are compared
 * before the launcher starts (`lib/state/launcher_cache.ts`), the rest by the launcher (`lib/plan/freshness.ts`). What
 * is in neither of them makes a run that is worked out each time: the table below says which and why.
 *
 * @module
 */
import { readBuildInfo } from "../base/build_info.ts";
import type { Facts } from "../host/facts.ts";
import type { ReadLog } from "../host/probe.ts";
import { listSidecars } from "../image/find_config.ts";
import { isLayout } from "../image/is_layout.ts";
import { RootView } from "../image/root_files.ts";
import { must, syscall } from "../kernel/syscall.ts";
import type { CachedRun, Seen, SeenFile, SeenInode } from "../plan/seen.ts";
import type { RunOptions } from "../spec/run_options.ts";
import { type Call, readCall, splitWords } from "../state/launcher_cache.ts";

/** What only the command line knows of a call. */
export interface Beginning {
  /**
   * True where words led to something else that was read to understand them: a file (`--env-file`), which may be a pipe
   * and is read once, or a variable of the environment other than HOME (`-e NAME`).
   */
  readonly readMore: boolean;
  /** Whether it began at a terminal; absent where the user said what they want. */
  readonly terminal?: boolean;
}

/** A run that may be taken from the cache next time. */
export interface Cacheable {
  readonly call: Call;
  readonly seen: Seen;
  readonly anew: CachedRun["anew"];
}

/**
 * What the launcher of this run has to look at again; undefined where it cannot be taken from the cache.
 *
 * To be called before anything else looks: a change between two looks must not be taken for what the plan was made from.
 *
 * @param log what has been read of the host already.
 */
export function seeCacheable(
  options: RunOptions,
  facts: Facts,
  log: ReadLog,
  beginning: Beginning,
): Cacheable | undefined {
  if (UNFIT.some(({ holds }) => holds({ options, facts, beginning }))) return undefined;
  const call = readCall(facts.nofile);
  const image = seeImage(options, log);
  const argv = call === undefined ? undefined : splitWords(call);
  if (call === undefined || image === undefined || argv === undefined) return undefined;
  const seen: Seen = {
    ...image,
    files: [...listHostFiles(facts).map((path) => seeFile(path, log)), ...image.files],
    utsname: ask("uname", UTSNAME_SIZE),
    capabilities: seeCapabilities(),
    swapTotal: facts.swapTotal,
    ...(beginning.terminal === undefined ? {} : { terminal: beginning.terminal }),
  };
  if (sizeOf(seen) > LARGEST) return undefined;
  return { call, seen, anew: { file: Deno.execPath(), argv } };
}

interface Run {
  readonly options: RunOptions;
  readonly facts: Facts;
  readonly beginning: Beginning;
}

interface Unfit {
  readonly why: string;
  readonly holds: (run: Run) => boolean;
}

/** Runs that are worked out each time. */
const UNFIT: readonly Unfit[] = [
  { why: "only a packed paddock looks into the cache", holds: () => readBuildInfo().kind !== "packed" },
  { why: "its words led to a file or a variable", holds: ({ beginning }) => beginning.readMore },
  { why: "the image comes through standard input", holds: ({ options }) => options.image === "-" },
  { why: "the image's configuration is another file", holds: ({ options }) => options.config !== undefined },
  { why: "an image layout may get another image at any time", holds: ({ options }) => isLayout(options.image) },
  { why: "a name belongs to one container at a time", holds: ({ options }) => options.name !== undefined },
  { why: "it is kept, and has a log", holds: ({ options }) => options.detach },
  { why: "an address belongs to one container at a time", holds: ({ options }) => typeof options.network !== "string" },
  { why: "what it writes is kept", holds: ({ options }) => options.rwSave !== undefined },
  { why: "systemd is asked for its cgroup", holds: ({ options }) => options.cgroupManager === "systemd" },
  { why: "its steps are told by paddock at the end", holds: ({ options }) => options.trace },
  { why: "device nodes of the host are looked at", holds: ({ options }) => needsNodes(options) },
  { why: "files get labels before it starts", holds: ({ options }) => options.mounts.some(needsLabel) },
  { why: "the launcher could not look again", holds: ({ facts: { has } }) => !has.openat2 || !has.close_range },
  {
    why: "under a filter of system calls the kernel's answers are somebody else's",
    holds: () => syscall("prctl", PR_GET_SECCOMP, 0, 0, 0, 0) !== 0,
  },
];

function needsNodes({ privileged, devices, blkio }: RunOptions): boolean {
  const rates = [blkio.weightDevice, blkio.readBps, blkio.writeBps, blkio.readIops, blkio.writeIops];
  return privileged || devices.length > 0 || rates.some(({ length }) => length > 0);
}

function needsLabel(mount: RunOptions["mounts"][number]): boolean {
  return mount.kind === "bind" && mount.relabel;
}

const PR_GET_SECCOMP = 21;

/** Bytes of files that a launcher is to compare. */
const LARGEST = 128 * 1024;

function sizeOf({ files, rootFiles }: Seen): number {
  return [...files, ...(rootFiles?.files ?? [])].reduce((sum, { bytes }) => sum + (bytes?.length ?? 0), 0);
}

/** What a plan is made from beside the image, as far as it can change while the host is up. */
function listHostFiles({ cgroup: { unified } }: Facts): string[] {
  return [
    // Kernel, its features, its command line: they change with a boot.
    "/proc/sys/kernel/random/boot_id",
    "/proc/self/mountinfo",
    "/proc/self/cgroup",
    ...(unified === undefined ? [] : [`${unified.mount}/cgroup.controllers`]),
    "/proc/1/comm",
    "/etc/resolv.conf",
    "/run/systemd/resolve/resolv.conf",
    // The paths of each processor are masked.
    "/sys/devices/system/cpu/present",
  ];
}

function seeFile(path: string, log: ReadLog): SeenFile {
  const bytes = log.readBytes(path);
  return bytes === undefined ? { path } : { path, bytes };
}

/**
 * An image by its inode, and what is read from it or beside it; undefined where it has none: the name of one that was
 * loaded may be given to another at any time.
 */
function seeImage({ image }: RunOptions, log: ReadLog): Pick<Seen, "files" | "rootFiles" | "inodes"> | undefined {
  if (image === "host") return { files: [], rootFiles: seeUserFiles("/"), inodes: [] };
  const statx = new Uint8Array(256);
  if (syscall("statx", AT_FDCWD, image, 0, STATX_BASIC_STATS, statx) < 0) return undefined;
  const mode = new DataView(statx.buffer).getUint16(28, true);
  const inode = (whole: boolean): SeenInode => ({ path: image, statx, whole });
  if ((mode & S_IFMT) === S_IFDIR) {
    return { files: [], rootFiles: seeUserFiles(Deno.realPathSync(image)), inodes: [inode(false)] };
  }
  // A layer in the store does not change; the archive that it was made from may, and so may what lies beside it.
  return { files: listSidecars(image).map((path) => seeFile(path, log)), inodes: [inode(true)] };
}

const AT_FDCWD = -100;
const STATX_BASIC_STATS = 0x7ff;
const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;

/** Users and groups of a rootfs that is somebody's directory. */
function seeUserFiles(root: string): NonNullable<Seen["rootFiles"]> {
  using view = new RootView([root]);
  const files = ["/etc/passwd", "/etc/group"].map((path): SeenFile => {
    const bytes = view.readBytes(path);
    return bytes === undefined ? { path } : { path, bytes };
  });
  return { root, files };
}

/** Six names of 65 bytes (`man 2 uname`). */
const UTSNAME_SIZE = 390;

function ask(call: string, size: number): Uint8Array {
  const buffer = new Uint8Array(size);
  must("this host", call, buffer);
  return buffer;
}

/** Effective, permitted and inheritable, twice 32 bits each (`man 2 capget`). */
function seeCapabilities(): Uint8Array {
  const header = new Uint8Array(8);
  new DataView(header.buffer).setUint32(0, 0x20080522, true);
  const data = new Uint8Array(24);
  must("capabilities", "capget", header, data);
  return data;
}
