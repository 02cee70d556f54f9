/**
 * Is everything as it was when this launcher was planned?
 *
 * A launcher in the cache was made from what paddock had read then. Before it does anything it reads the same again and
 * compares; where something differs, and where it fails later on before the command runs, it executes paddock, which
 * works everything out anew. Looked at is what would make another container without a word. What would end in an error
 * (a source that is gone, a call that the kernel lacks) is not: an error leads to paddock as well.
 *
 * @module
 */
import type { Act, Arg, Block, Region, Section, Step } from "../program/step.ts";
import { AT_FDCWD, flags, previous, result, step, text } from "../program/step.ts";
import type { CachedRun, Seen, SeenFile, SeenInode } from "./seen.ts";
import { BUILT_IN } from "../program/layout.ts";
import { EXIT } from "../base/errors.ts";
import { stringVector } from "./process.ts";
import { word } from "./targets.ts";

/** The file in a state directory that says: kept although nobody holds its lock. */
export const KEPT_FILE = "kept";

/** Label of the step that executes paddock because something has changed. */
export const STALE = "stale";

/** Label of the step that gives up the lock first, once there is one. */
export const GIVE_UP = "giveUp";

/** Label of a step whose result is not zero once the command has begun. */
export const BEGUN = "pid.file";

/** Region into which everything is read again. */
export const AGAIN = "again";

const ENTRIES_SIZE = 32768;

/** Memory for what is read again. */
export function freshnessRegions(cached: CachedRun): Readonly<Record<string, Region>> {
  return {
    [AGAIN]: { size: againSize(cached) },
    "again.at": { size: 8 },
    "again.end": { size: 8 },
  };
}

/** Bytes of that memory: a file may be read to twice its length before it is seen to be longer. */
export function againSize({ seen: { files, rootFiles } }: CachedRun): number {
  const sizes = [...files, ...(rootFiles?.files ?? [])].map(({ bytes }) => 2 * (bytes?.length ?? 0) + 2);
  return Math.max(ENTRIES_SIZE, ...sizes);
}

/** All that is looked at before anything is made. */
export function planFreshness(cached: CachedRun): Section {
  const { seen } = cached;
  return {
    side: "launcher",
    title: "whether all is as it was",
    fault: STALE,
    acts: [
      seeWhetherJustMade(),
      compareBytes("the kernel and the host's name", step("uname", [BUFFER]), [[0, seen.utsname]]),
      compareBytes("the capabilities", step("capget", [{ block: CAPGET_HEADER }, BUFFER]), [[0, seen.capabilities]]),
      seeFilters(),
      seeSwap(seen.swapTotal),
      ...(seen.terminal === undefined ? [] : [seeTerminal(seen.terminal)]),
      ...seen.files.map((file, index) =>
        compareFile(file, `again.${index}`, step("openat", [AT_FDCWD, text(file.path), READ, 0]))
      ),
      ...(seen.rootFiles === undefined ? [] : compareRootFiles(seen.rootFiles)),
      ...seen.inodes.map(compareInode),
      seeOthers(cached.stateRoot),
      goOn(),
    ],
  };
}

/** Executes paddock, which works everything out anew. */
export function planAnew({ anew }: CachedRun): Act {
  const lost = `paddock: cannot execute ${anew.file}, which made this launcher\n`;
  return {
    what: "execute paddock",
    why: "what this launcher was made from has changed, or it failed: paddock works everything out anew",
    shell: [],
    steps: [
      ...environmentSteps({ label: STALE }),
      step("execve", [text(anew.file), stringVector(anew.argv), previous()], { onNegative: "next" }),
      step("write", [2, text(lost), new TextEncoder().encode(lost).length], { onNegative: "next" }),
      step("exit_group", [EXIT.failed]),
    ],
  };
}

/**
 * Steps of which the last gives the address of the environment: that of paddock's caller, with `PADDOCK_ANEW` before it.
 * The launcher has it on its stack, where argc and a title as the only word come first.
 */
export function environmentSteps(first: Pick<Step, "label"> = {}): Step[] {
  return [step("@stack", [], first), step("@add", [previous(), 24])];
}

const BUFFER = { region: AGAIN } as const;
const READ = flags("O_RDONLY", "O_NONBLOCK", "O_NOCTTY", "O_CLOEXEC");

const HOW_INSIDE: Block = {
  size: 24,
  fields: [word(0, READ), word(16, flags("RESOLVE_IN_ROOT", "RESOLVE_NO_MAGICLINKS"))],
};

/** `_LINUX_CAPABILITY_VERSION_3`, and this process (`man 2 capget`). */
const CAPGET_HEADER: Block = { size: 8, fields: [{ at: 0, size: 4, value: 0x20080522 }] };

function seeWhetherJustMade(): Act {
  return {
    what: "see whether this was made just now",
    why: "then paddock has just read everything, and nothing is looked at again",
    shell: [],
    steps: [step("@add", [{ load: BUILT_IN.status }, 0], { onNegative: "fresh", onPositive: "fresh" })],
  };
}

/** The word that says so becomes what it is for. */
function goOn(): Act {
  return {
    what: "go on",
    why: "all is as it was",
    shell: [],
    steps: [step("@store", [{ region: BUILT_IN.status }, 0], { label: "fresh" })],
  };
}

/** What a call writes must be the same, each of these parts of it. */
function compareBytes(what: string, call: Step, parts: readonly (readonly [at: number, bytes: Uint8Array])[]): Act {
  return {
    what: `look at ${what} again`,
    why: "the launcher was made for just this",
    shell: [],
    steps: [
      call,
      ...parts.map(([at, bytes]) =>
        step("@same", [{ region: AGAIN, offset: at }, blockOf(bytes), bytes.length], { onPositive: STALE })
      ),
    ],
  };
}

function blockOf(bytes: Uint8Array): Arg {
  return { block: { size: bytes.length, fields: [{ at: 0, bytes }] } };
}

/** Where fields of `struct statx` lie: a file's identity, and what changes when it is written to. */
const IDENTITY = [[32, 40], [136, 144]] as const;
const VERSION = [[40, 48], [96, 128]] as const;

function compareInode({ path, statx, whole }: SeenInode): Act {
  const STATX_BASIC_STATS = 0x7ff;
  const parts = [...IDENTITY, ...(whole ? VERSION : [])];
  return compareBytes(
    path,
    step("statx", [AT_FDCWD, text(path), 0, STATX_BASIC_STATS, BUFFER]),
    parts.map(([from, to]) => [from, statx.subarray(from, to)]),
  );
}

/** Reads a file to its end: those of /proc come a page at a time. */
function compareFile({ path, bytes }: SeenFile, key: string, open: Step): Act {
  const about = { what: `look at ${path} again`, why: "the launcher was made from what was in it", shell: [] };
  if (bytes === undefined) {
    // That it cannot be opened is how it was.
    return { ...about, steps: [{ ...open, onNegative: "end", onZero: STALE, onPositive: STALE }] };
  }
  const { length } = bytes;
  const end = { region: AGAIN, offset: length } as const;
  return {
    ...about,
    steps: [
      { ...open, label: key },
      step("@store", [{ region: "again.at" }, BUFFER]),
      step("read", [result(key), { load: "again.at" }, length + 1], { label: `${key}.read`, onZero: `${key}.end` }),
      step("@add", [{ load: "again.at" }, previous()]),
      step("@store", [{ region: "again.at" }, previous()]),
      step("@sub", [previous(), end], { onNegative: `${key}.read`, onZero: `${key}.read`, onPositive: STALE }),
      step("@sub", [{ load: "again.at" }, end], { label: `${key}.end`, onNegative: STALE, onPositive: STALE }),
      step("@same", [BUFFER, blockOf(bytes), length], { onPositive: STALE }),
      step("close", [result(key)]),
    ],
  };
}

/** The same inside a rootfs, in which a path leads where the container would find it. */
function compareRootFiles({ root, files }: NonNullable<Seen["rootFiles"]>): Act[] {
  const ROOT = "again.root";
  const about = { why: "files in it are looked up from this descriptor by the kernel, and stay inside", shell: [] };
  const open = step("openat", [AT_FDCWD, text(root), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC"), 0], { label: ROOT });
  return [
    { ...about, what: `open ${root}`, steps: [open] },
    ...files.map((file, index) => {
      const inside = [result(ROOT), text(file.path.slice(1)), { block: HOW_INSIDE }, HOW_INSIDE.size];
      return compareFile(file, `${ROOT}.${index}`, step("openat2", inside));
    }),
    { ...about, what: `close ${root}`, steps: [step("close", [result(ROOT)])] },
  ];
}

/** Under a filter the kernel may refuse today what it did yesterday (`man 2 seccomp`). */
function seeFilters(): Act {
  return {
    what: "see that no filter of system calls is in force",
    why: "what paddock had tried of the kernel holds for a caller without one",
    shell: [],
    steps: [step("prctl", [flags("PR_GET_SECCOMP"), 0, 0, 0, 0], { onPositive: STALE })],
  };
}

/** `struct sysinfo`: the eighth of its first words, of 8 bytes each, and units of one byte on 64 bits (`man 2 sysinfo`). */
function seeSwap(total: number): Act {
  return {
    what: "look at the swap space again",
    why: "limits were chosen by whether there is any",
    shell: [],
    steps: [
      step("sysinfo", [BUFFER]),
      step("@sub", [{ load: AGAIN, offset: 64 }, total], { onNegative: STALE, onPositive: STALE }),
    ],
  };
}

/** A command that is started at a terminal gets one of its own. */
function seeTerminal(expected: boolean): Act {
  const TCGETS = 0x5401;
  const ask = (fd: number) => step("ioctl", [fd, TCGETS, BUFFER]);
  return {
    what: `see that standard input and output are ${expected ? "" : "not both "}a terminal`,
    why: "a command that is started at a terminal gets one of its own",
    shell: [],
    steps: expected
      ? [ask(0), ask(1)]
      : [{ ...ask(0), onNegative: "end" }, { ...ask(1), onNegative: "end", onZero: STALE }],
  };
}

/**
 * A state directory whose lock nobody holds was left by a launcher that was killed, unless it says that it is kept.
 * Entries are those of `getdents64(2)`: the length of an entry in 16 bits at 16, its name at 19.
 */
function seeOthers(stateRoot: string): Act {
  const directory = flags("O_RDONLY", "O_DIRECTORY", "O_CLOEXEC");
  const inside = flags("O_PATH", "O_DIRECTORY", "O_NOFOLLOW", "O_CLOEXEC");
  const close = (label: string, fd: string, onZero: string) =>
    step("close", [result(fd)], { label, onNegative: onZero, onZero });
  return {
    what: `see that nothing dead lies in ${stateRoot}`,
    why: "every run removes what others left that were killed",
    shell: [],
    steps: [
      step("openat", [AT_FDCWD, text(stateRoot), directory, 0], { label: "others" }),
      step("getdents64", [result("others"), BUFFER, ENTRIES_SIZE], { label: "others.batch", onZero: "others.end" }),
      step("@add", [BUFFER, previous()]),
      step("@store", [{ region: "again.end" }, previous()]),
      step("@store", [{ region: "again.at" }, BUFFER]),
      // The next entry: what begins with a dot is no container.
      step("@load", [{ load: "again.at" }, 19], { label: "others.entry" }),
      step("@and", [previous(), 0xff]),
      step("@sub", [previous(), ".".charCodeAt(0)], { onZero: "others.next" }),
      step("@add", [{ load: "again.at" }, 19]),
      step("openat", [result("others"), previous(), inside, 0], { label: "others.one", onNegative: "others.next" }),
      step("openat", [result("others.one"), text("lock"), flags("O_RDONLY", "O_NOFOLLOW", "O_CLOEXEC"), 0], {
        label: "others.lock",
        onNegative: "others.free",
      }),
      step("flock", [result("others.lock"), flags("LOCK_SH", "LOCK_NB")], {
        onNegative: "others.held",
        onZero: "others.unlocked",
      }),
      close("others.unlocked", "others.lock", "next"),
      step("faccessat", [result("others.one"), text(KEPT_FILE), 0], { label: "others.free", onZero: "others.close" }),
      close("others.held", "others.lock", "next"),
      close("others.close", "others.one", "next"),
      step("@load", [{ load: "again.at" }, 16], { label: "others.next" }),
      step("@and", [previous(), 0xffff]),
      step("@add", [{ load: "again.at" }, previous()]),
      step("@store", [{ region: "again.at" }, previous()]),
      step("@sub", [previous(), { load: "again.end" }], {
        onNegative: "others.entry",
        onZero: "others.batch",
        onPositive: "others.batch",
      }),
      step("close", [result("others")], { label: "others.end" }),
    ],
  };
}
