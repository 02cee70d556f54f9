/**
 * A container that is created and not started: all is set up, and its first process waits to be let go.
 *
 * ```
 *   launcher                                   container
 *   open exec.fifo, connect the console socket
 *   clone ───────────────────────────────────▶ cgroups, mounts, pivot, ids … (hand the terminal over)
 *   wait (futex "vm")                          is the command there?
 *   ◀──────────────────────────────────────── vm = 2, wake: all is set up
 *   write the process id, and end              read exec.fifo: `paddock start` writes a byte
 *                                              exec ──▶ the command
 * ```
 *
 * For `run` of a bundle the launcher writes that byte itself, and watches over the container as it does for an image.
 *
 * The launcher ends, so that whoever called it, or the subreaper above, becomes the parent and hears of the end: this is
 * how engines watch over a container (conmon, containerd's shim). Where the child ends instead, the kernel clears "vm"
 * (CLONE_CHILD_CLEARTID), and it is as with any container that could not be started.
 *
 * @module
 */
import { EXIT } from "../base/errors.ts";
import { errnoNumber } from "../base/errno.ts";
import { quoteCommand } from "../base/text.ts";
import { BUILT_IN } from "../program/layout.ts";
import { type Act, type Arg, AT_FDCWD, flags, previous, type Region, type Step, step, text } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import type { Creation } from "./creation.ts";
import { CHILD } from "./monitor.ts";
import { candidates, CODE } from "./process.ts";
import { LOCK_FD, type Setting } from "./setting.ts";
import { planConnect, planPidfdSocket, planSendPidfd, sendDescriptor } from "./sockets.ts";
import { PTM_FD } from "./terminal.ts";

/** Memory by which the two sides talk, and what is read. */
export const CREATION_REGIONS: Readonly<Record<string, Region>> = {
  vm: { size: 8, fields: [{ at: 0, size: 8, value: 1 }] },
  stat: { size: 512 },
};

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
const READY = 2;

/** The console socket's number, above those that other steps use. */
const CONSOLE_FD = 103;
/** The fifo's. */
const FIFO_FD = 104;
/** That of the file in which the child tells why it could not be started. */
const REPORT_FD = 105;

/** Before the clone: what the child cannot reach later. */
export function planReach({ fifo, report, consoleSocket, pidfdSocket }: Creation): Act[] {
  const open: Act = {
    what: `open ${fifo}`,
    why: "the container's first process waits at it until it is started",
    shell: [`exec 9<>${fifo}`],
    steps: [
      // For writing as well, so that neither side has to be there for the other to open it.
      step("openat", [AT_FDCWD, text(fifo), flags("O_RDWR", "O_CLOEXEC")]),
      step("dup3", [previous(), FIFO_FD, flags("O_CLOEXEC")]),
      step("close", [previous(2)]),
    ],
  };
  return [
    open,
    ...(report === undefined ? [] : [openReport(report)]),
    ...(consoleSocket === undefined ? [] : [planConnectConsole(consoleSocket)]),
    ...planPidfdSocket(pidfdSocket),
  ];
}

function openReport(path: string): Act {
  return {
    what: `open ${path}`,
    why: "when it is started and fails, nobody but `paddock start` is there to be told",
    shell: [],
    steps: [
      step("openat", [AT_FDCWD, text(path), flags("O_WRONLY", "O_CREAT", "O_TRUNC", "O_CLOEXEC"), 0o600]),
      step("dup3", [previous(), REPORT_FD, flags("O_CLOEXEC")]),
      step("close", [previous(2)]),
    ],
  };
}

/** In the child, where it failed: the record of what happened, as `planOutcome` writes it for the launcher. */
export function planReport({ report }: Creation): Step[] {
  if (report === undefined) return [];
  return [
    step("write", [REPORT_FD, { region: BUILT_IN.data }, { load: BUILT_IN.size }], { onNegative: "next" }),
  ];
}

/** Connects to the console socket. */
export function planConnectConsole(path: string): Act {
  const why = "who called takes the container's terminal from there";
  return planConnect({ path, fd: CONSOLE_FD, name: "console socket", why });
}

/** In the child, once the terminal is there: its master goes to whoever called. */
export function planHandOver(): Act {
  const name = "/dev/ptmx";
  return {
    what: "hand the terminal to whoever called",
    why: "asked for by --console-socket: they pass on what is typed and shown",
    shell: [],
    steps: sendDescriptor(CONSOLE_FD, PTM_FD, text(name), name.length),
  };
}

/** What the wait for the start depends on. */
export interface StartWait {
  /** A filter that is put on before the wait, and not after it: the launcher hands its listener over. */
  readonly filter?: readonly Act[];
  /** As in `Creation`. */
  readonly report?: string | undefined;
}

/** In the child, last of all: says that everything is set up, and waits to be started. */
export function planWaitForStart(config: Config, { filter = [], report }: StartWait = {}): Act[] {
  return [
    ...(config.process.args.length === 0 ? [] : [lookForCommand(config)]),
    {
      what: "say that the container is set up",
      why: "the launcher tells who called",
      shell: [],
      steps: [
        // Nobody holds it from here on: what comes next needs it.
        step("close", [LOCK_FD], { onNegative: "next" }),
        step("@store", [{ region: "vm" }, READY]),
        step("futex", [{ region: "vm" }, FUTEX_WAKE, 1, 0, 0, 0], { onNegative: "next" }),
      ],
    },
    ...filter,
    {
      what: "wait to be started",
      why: "the container is created; `paddock start` writes a byte",
      shell: [],
      steps: [
        step("read", [FIFO_FD, { region: "stat" }, 1], { label: "start", onNegative: "start", onZero: "start" }),
        // The exec closes it where an agent might be asked about the call, and where `start` waits for that.
        ...(filter.length === 0 && report === undefined ? [step("close", [FIFO_FD])] : []),
      ],
    },
  ];
}

/** That it is not there is said now, and not only when it is started. */
function lookForCommand(config: Config): Act {
  const X_OK = 1;
  const missing = [errnoNumber("ENOENT"), errnoNumber("ENOTDIR")];
  const steps = candidates(config).flatMap((path, index): Step[] => [
    step("faccessat", [AT_FDCWD, text(path), X_OK], { onNegative: `look.${index}.no` }),
    // A directory may be searched, and is no program.
    step("faccessat", [AT_FDCWD, text(`${path}/.`), 0], { onNegative: "end" }),
    step("@store", [{ region: "refused" }, -errnoNumber("EACCES")], { onNegative: `look.${index}` }),
    step("@add", [previous(3), missing[0]!], { label: `look.${index}.no`, onZero: `look.${index}` }),
    step("@add", [previous(4), missing[1]!], { onZero: `look.${index}` }),
    step("@store", [{ region: "refused" }, previous(5)]),
    step("@add", [0, 0], { label: `look.${index}` }),
  ]);
  return {
    // The words are those of the act that executes it: its errors are explained by them.
    what: `execute ${quoteCommand(config.process.args)}`,
    why: "what is not there, or may not be executed, is said when the container is created",
    shell: [],
    steps: [
      ...steps,
      step("@store", [{ region: CODE }, EXIT.notFound]),
      step("@add", [{ load: "refused" }, 0], { onZero: "look.missing", onPositive: "look.missing" }),
      step("@store", [{ region: CODE }, EXIT.cannotExecute]),
      step("@sub", [{ load: "refused" }, 0], { onNegative: "container.fault" }),
      step("@sub", [0, missing[0]!], { label: "look.missing", onNegative: "container.fault" }),
    ],
  };
}

/**
 * In the launcher, after the clone: waits until the child is ready, or has ended.
 *
 * @param from what "vm" holds until then.
 */
export function planAwaitReady(label: string, from = 1): Act {
  const wait = `${label}.wait`;
  return {
    what: "wait until the container is set up",
    why: "the child says so in memory that both share; the kernel does where it ends instead",
    shell: [],
    steps: [
      step("@and", [{ load: "vm" }, 0xffffffff], { label, onZero: "unready" }),
      step("@sub", [previous(), READY], { onZero: "end" }),
      step("futex", [{ region: "vm" }, FUTEX_WAIT, from, 0, 0, 0], { label: wait, onNegative: label, onZero: label }),
      step("wait4", [{ load: CHILD }, { region: BUILT_IN.status }, 0, 0], { label: "unready", onNegative: "next" }),
      step("@add", [0, 0], { onZero: "leftovers" }),
    ],
  };
}

/** In the launcher: what others know the container's first process by. It ends then, or lets the container go. */
export function planCreated(setting: Setting, { fifo, pidFiles, pidfdSocket, then }: Creation): Act[] {
  const next = then === undefined ? undefined : "go";
  return [
    ...planSendPidfd(pidfdSocket, { load: CHILD }, "standard"),
    ...writePid([`${setting.stateDir}/pid`, ...pidFiles], { statFile: `${setting.stateDir}/stat`, next }),
    ...(next === undefined ? [] : [letGo(fifo, next)]),
  ];
}

/** What `paddock start` does, and the wait until the command has begun, or could not. */
function letGo(fifo: string, label: string): Act {
  return {
    what: "start the container",
    why: "it is set up, and everything that is to know of it does; the kernel says when the command has begun",
    shell: [],
    steps: [
      step("unlinkat", [AT_FDCWD, text(fifo), 0], { label, onNegative: "next" }),
      step("write", [FIFO_FD, text("0"), 1]),
      step("@and", [{ load: "vm" }, 0xffffffff], { label: `${label}.look`, onZero: "end" }),
      step("futex", [{ region: "vm" }, FUTEX_WAIT, previous(), 0, 0, 0], {
        onNegative: `${label}.look`,
        onZero: `${label}.look`,
      }),
    ],
  };
}

/** In the launcher that has started a container and does not watch over it: see whether the command has begun. */
export function planBegan(): Act {
  return {
    what: "see whether the command has begun",
    why: "a command that could not be executed is still told of",
    shell: [],
    steps: [step("@add", [{ load: BUILT_IN.fault }, 0], { onNegative: "unready", onPositive: "unready" })],
  };
}

/** Its end. */
export function planLeave(): Act {
  return {
    what: "leave the container to itself",
    why: "asked for by --detach",
    shell: [],
    steps: [step("exit_group", [0])],
  };
}

/** In a launcher that has not slept until the child's exec: waits for it, or for the child's end. */
export function planAwaitExec(label: string): Act {
  return {
    what: "wait until the command has begun",
    why: "the kernel clears a word in memory when the child leaves it",
    shell: [],
    steps: [
      step("@and", [{ load: "vm" }, 0xffffffff], { label, onZero: "end" }),
      step("futex", [{ region: "vm" }, FUTEX_WAIT, previous(), 0, 0, 0], { onNegative: label, onZero: label }),
    ],
  };
}

/** In the launcher of a detached process: its id is written, and the launcher ends. */
export function planDetached(
  { stateDir, stateFiles, pidFiles, pidfdSocket }:
    & Pick<Setting, "stateDir" | "stateFiles">
    & Pick<Creation, "pidFiles" | "pidfdSocket">,
): Act[] {
  return [
    {
      what: "see whether the command has begun",
      why: "the clone returns when the child has executed it, or has ended without",
      shell: [],
      steps: [
        step("@add", [{ load: BUILT_IN.fault }, 0], { label: "started", onZero: "end" }),
        step("wait4", [{ load: CHILD }, { region: BUILT_IN.status }, 0, 0], { onNegative: "next" }),
        step("@add", [0, 0], { onZero: "leftovers" }),
      ],
    },
    {
      what: `remove ${stateDir}`,
      why: "nobody watches over it from here on",
      shell: [`rm -r ${stateDir}`],
      steps: [
        ...stateFiles.map((name) =>
          step("unlinkat", [AT_FDCWD, text(`${stateDir}/${name}`), 0], { onNegative: "next" })
        ),
        step("unlinkat", [AT_FDCWD, text(stateDir), flags("AT_REMOVEDIR")], { onNegative: "next" }),
      ],
    },
    ...planSendPidfd(pidfdSocket, { load: CHILD }, "setns"),
    ...writePid(pidFiles),
  ];
}

/** In the launcher of a further process that is watched over: its id is written, and the launcher goes on. */
export function planPidFiles(files: readonly string[]): Act[] {
  return files.length === 0 ? [] : writePid(files, { next: "end" });
}

function writePid(
  files: readonly string[],
  { statFile, next }: { readonly statFile?: string; readonly next?: string | undefined } = {},
): Act[] {
  const lengths = [1, 2, 3, 4, 5, 6, 7];
  const zeros = (length: number) => "0".repeat(length);
  const write = (length: number): Step[] => [
    step("@digits", [{ load: CHILD }, text(`${zeros(length)}#pid`), length], { label: `pid.${length}` }),
    step("@digits", [{ load: CHILD }, { text: `/proc/${zeros(length)}/stat`, offset: "/proc/".length }, length]),
    step("openat", [AT_FDCWD, text(`/proc/${zeros(length)}/stat`), flags("O_RDONLY", "O_CLOEXEC")]),
    step("read", [previous(), { region: "stat" }, 512]),
    ...(statFile === undefined ? [] : writeWhole(statFile, { region: "stat" }, "as before")),
    ...files.flatMap((file) => writeWhole(file, text(`${zeros(length)}#pid`), length)),
    next === undefined ? step("exit_group", [0]) : step("@add", [0, 0], { onZero: next }),
  ];
  return [{
    what: "write the process id",
    why:
      "other commands find the container's first process by it, and know it from another of that number by its start",
    shell: [],
    steps: [
      ...lengths.map((length) => step("@sub", [{ load: CHILD }, 10 ** length], { onNegative: `pid.${length}` })),
      ...lengths.flatMap(write),
    ],
  }];
}

/** Beside and renamed: a reader sees all of it or nothing. */
function writeWhole(path: string, address: Arg, length: number | "as before"): Step[] {
  const beside = text(`${path}.new`);
  // The result of the step before these, which the one that opens the file has put behind it.
  const count = length === "as before" ? previous(2) : length;
  return [
    step("openat", [AT_FDCWD, beside, flags("O_WRONLY", "O_CREAT", "O_TRUNC", "O_CLOEXEC"), 0o644]),
    step("write", [previous(), address, count]),
    step("close", [previous(2)]),
    step("renameat", [AT_FDCWD, beside, AT_FDCWD, text(path)]),
  ];
}
