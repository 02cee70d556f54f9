/**
 * The launcher's own side: it starts the container's first process, forwards signals to it, waits for it.
 *
 * ```
 *   launcher                                   container
 *   block all signals, make cgroups
 *   clone ───────────────────────────────────▶ enter cgroups, mounts, pivot, ids …
 *     (sleeps: CLONE_VFORK, one memory)         exec ──▶ the command
 *   ◀──────────────────────────────────────── (or a fault: its step is noted, exit)
 *   wait for a signal ◀─────────────────────┐
 *     SIGCHLD and it has ended ─▶ clean up   │
 *     any other ─▶ send it on ───────────────┘
 *   the end: see ending.ts
 * ```
 *
 * @module
 */
import { EXIT } from "../base/errors.ts";
import { BUILT_IN } from "../program/layout.ts";
import {
  type Act,
  type Arch,
  type Arg,
  AT_FDCWD,
  flags,
  previous,
  type Region,
  result,
  type Step,
  step,
  text,
} from "../program/step.ts";
import { planClosingOthers } from "./descriptors.ts";
import { AGAIN, againSize, BEGUN, GIVE_UP } from "./freshness.ts";
import type { CachedRun } from "./seen.ts";
import { CODE } from "./process.ts";
import { LOCK_FD, type Setting } from "./setting.ts";

/** Region with the process id of the container's first process, written by the kernel in the clone. */
export const CHILD = "child";

/** Memory that the builders of both sides use. */
export const REGIONS: Readonly<Record<string, Region>> = {
  [CHILD]: { size: 8 },
  mask: { size: 8 },
  action: { size: 32 },
  info: { size: 128 },
  interrupts: { size: 8 },
  counter: { size: 8 },
  refused: { size: 8 },
  tries: { size: 8 },
  pid: { size: 8 },
  "pid.own": { size: 8 },
  path: { size: 4096 },
  [CODE]: { size: 8, fields: [{ at: 0, size: 8, value: EXIT.failed }] },
};

const SIGINT = 2;
const SIGKILL = 9;
const SIGCHLD = 17;
const SIGSTOP = 19;
const SIGTSTP = 20;

/** Name, privacy, descriptors and signals of the launcher itself. */
export function planLauncher(setting: Setting): Act[] {
  return [
    {
      what: "name the launcher",
      why: "`ps` on the host shows which container this process watches over, and no other process may look into it",
      shell: [],
      steps: [
        step("prctl", [flags("PR_SET_NAME"), text(`paddock: ${setting.name}`), 0, 0, 0]),
        step("prctl", [flags("PR_SET_DUMPABLE"), 0, 0, 0, 0]),
      ],
    },
    closeDescriptors(setting),
    blockSignals(),
  ];
}

function closeDescriptors({ prepared, preserved = 0 }: Setting): Act {
  if (preserved > 0) return planClosingOthers(preserved, prepared);
  const first = prepared ? LOCK_FD + 1 : LOCK_FD;
  // Before 5.9 there is no such call. There paddock has marked them all to be closed when it executed the launcher; one
  // that stands alone closes every number that there can be.
  const RLIMIT_NOFILE = 7;
  const each = [
    step("prlimit64", [0, RLIMIT_NOFILE, 0, { region: "action" }]),
    step("@store", [{ region: "counter" }, first]),
    step("close", [{ load: "counter" }], { label: "descriptors", onNegative: "next" }),
    step("@add", [{ load: "counter" }, 1]),
    step("@store", [{ region: "counter" }, previous()]),
    step("@sub", [previous(), { load: "action" }], { onNegative: "descriptors" }),
  ];
  return {
    what: "close inherited descriptors",
    why: "a descriptor of a host directory would be a way out of the container",
    shell: [],
    steps: [
      step("close_range", [first, 0xffffffff, 0], { onNegative: "next", onZero: "end" }),
      ...(prepared ? [] : each),
    ],
  };
}

/**
 * All signals wait until they are asked for. Those that the caller ignores (`nohup`, a job in the background of a
 * script) stay ignored: they are not to be sent on.
 */
function blockSignals(): Act {
  const keepIgnored = [1, SIGINT, 3].flatMap((signal) => [
    step("rt_sigaction", [signal, 0, { region: "action" }, 8]),
    step("@sub", [{ load: "action" }, 1], { onNegative: `signal${signal}`, onPositive: `signal${signal}` }),
    step("@and", [{ load: "mask" }, ~(1n << BigInt(signal - 1))]),
    step("@store", [{ region: "mask" }, previous()]),
    step("@add", [0, 0], { label: `signal${signal}` }),
  ]);
  return {
    what: "block all signals",
    why: "each is taken up in turn and sent on to the container; what the caller ignores (nohup) stays ignored",
    shell: [],
    steps: [
      step("@store", [{ region: "mask" }, -1]),
      ...keepIgnored,
      step("rt_sigprocmask", [flags("SIG_SETMASK"), { region: "mask" }, 0, 8]),
    ],
  };
}

/**
 * A launcher that nobody has prepared makes and locks its state directory, by which `paddock gc` sees whether it lives.
 */
export function planState(setting: Setting, cgroupPaths: readonly string[]): Act[] {
  if (setting.prepared) return [];
  const { stateDir, cached } = setting;
  const parent = stateDir.slice(0, stateDir.lastIndexOf("/"));
  const lock = text(`${stateDir}/lock`);
  const about = {
    what: `make the state directory ${stateDir}`,
    why: "its lock says that the container is alive; when it is free, what the container left can be removed",
    shell: [`mkdir -p ${stateDir} && flock ${stateDir}/lock`],
  };
  if (cached === undefined) {
    return [{
      ...about,
      steps: [
        step("mkdirat", [AT_FDCWD, text(parent), 0o700], { onNegative: "next" }),
        step("mkdirat", [AT_FDCWD, text(stateDir), 0o700]),
        step("openat", [AT_FDCWD, lock, flags("O_RDWR", "O_CREAT", "O_CLOEXEC"), 0o600]),
        step("flock", [previous(), flags("LOCK_EX", "LOCK_NB")]),
      ],
    }];
  }
  // Another's directory of that name is none of ours: paddock chooses another name.
  return [{
    ...about,
    steps: [
      step("mkdirat", [AT_FDCWD, text(stateDir), 0o700], { onNegative: GIVE_UP }),
      step("openat", [AT_FDCWD, lock, flags("O_RDWR", "O_CREAT"), 0o600], { onNegative: GIVE_UP }),
      step("flock", [previous(), flags("LOCK_EX", "LOCK_NB")], { onNegative: GIVE_UP }),
      // Where one of the standard descriptors was closed the lock has its number.
      step("@sub", [previous(2), LOCK_FD], { onZero: "end" }),
      step("dup3", [previous(3), LOCK_FD, 0]),
      step("close", [previous(4)]),
    ],
  }, ...writeStateFiles(stateDir, cached, cgroupPaths)];
}

function writeStateFiles(stateDir: string, { config, record }: CachedRun, cgroupPaths: readonly string[]): Act[] {
  return [
    writeStateFile(`${stateDir}/config.json`, config),
    writeStateFile(`${stateDir}/state.json`, `${JSON.stringify({ ...record, cgroupPaths })}\n`),
  ];
}

function writeStateFile(path: string, data: string): Act {
  return {
    what: `write ${path}`,
    why: "other commands tell by it what runs here, and what is left when it does not",
    shell: [],
    steps: [
      step("openat", [AT_FDCWD, text(path), flags("O_WRONLY", "O_CREAT", "O_EXCL", "O_CLOEXEC"), 0o600]),
      step("write", [previous(1), text(data), new TextEncoder().encode(data).length]),
      step("close", [previous(2)]),
    ],
  };
}

/** How the container's first process is made. */
export interface CloneOptions {
  readonly arch: Arch;
  /** Beside those that every container has. */
  readonly flags: readonly string[];
  /** The `unshare` options of a shell that did the same. */
  readonly unshare: string;
  /**
   * The launcher goes on at once, and the kernel clears the region `vm` when the child has left its memory. Otherwise it
   * sleeps until then.
   */
  readonly concurrent: boolean;
  /** Label of the step that the launcher goes on at. */
  readonly next: string;
}

/** Starts the container's first process. Its steps begin at the label `container`. */
export function planClone({ arch, flags: asked, unshare, concurrent, next }: CloneOptions): Act {
  const own = concurrent ? ["CLONE_CHILD_CLEARTID"] : ["CLONE_VFORK"];
  const cleared = concurrent ? { region: "vm" } : 0;
  // The last two arguments are the other way round on x86_64 (`man 2 clone`, C library/kernel differences).
  const last = arch === "x86_64" ? [cleared, 0] : [0, cleared];
  return {
    what: "start the container's first process",
    why:
      "it is born in new namespaces; it shares the launcher's memory until its exec, so each failure is known by its step",
    shell: [`unshare ${unshare} sh <<'container'`],
    steps: [
      step(
        "clone",
        [flags("CLONE_VM", "CLONE_PARENT_SETTID", ...own, ...asked, "SIGCHLD"), 0, { region: CHILD }, ...last],
        { label: "clone", onZero: "container", onPositive: next },
      ),
    ],
  };
}

/**
 * After the clone: a child that failed is waited for; one that runs is watched.
 *
 * @param first what is done when it runs, before the memory of what has run is given back.
 */
export function planStarted(setting: Setting, first: readonly Act[] = []): Act[] {
  // Of one that was created first it is written already.
  const recorded = setting.creation !== undefined;
  return [
    {
      what: "see whether the container has started",
      why: "the clone returns when the child has executed the command, or has ended without",
      shell: [],
      steps: [
        step("@add", [{ load: BUILT_IN.fault }, 0], { label: "started", onZero: recorded ? "end" : "running" }),
        step("wait4", [{ load: CHILD }, { region: BUILT_IN.status }, 0, 0], { onNegative: "next" }),
        step("@add", [0, 0], { onZero: "leftovers" }),
      ],
    },
    ...(recorded ? [] : [recordPid(setting)]),
    ...first,
    ...(setting.trace ? [] : [forgetSteps(setting)]),
  ];
}

/**
 * The pages of the table that only steps from the beginning to the exec were in, and those of texts and structs. They
 * are private copies of the file's: what the kernel drops here it would read again from there.
 */
function forgetSteps({ cached }: Setting): Act {
  const PAGE_MASK = ~0xfff;
  const MADV_DONTNEED = 4;
  return {
    what: "give back the memory of steps that have run",
    why: "what watches over the container is left with a few pages",
    shell: [],
    steps: [
      // Where the child looked at its working directory: a page of its own, as all large regions.
      step("madvise", [{ region: "path" }, 4096, MADV_DONTNEED], { onNegative: "next" }),
      ...(cached === undefined
        ? []
        : [step("madvise", [{ region: AGAIN }, againSize(cached), MADV_DONTNEED], { onNegative: "next" })]),
      // From the first whole page to the end of the file: what nothing writes into is read from there again.
      step("@add", [{ region: BUILT_IN.constants }, ~PAGE_MASK]),
      step("@and", [previous(), PAGE_MASK]),
      step("@add", [{ region: BUILT_IN.data }, { load: BUILT_IN.size }]),
      step("@sub", [previous(), previous(2)], { onNegative: "steps.forget", onZero: "steps.forget" }),
      step("madvise", [previous(3), previous(), MADV_DONTNEED], { onNegative: "next" }),
      // Inwards, for the neighbours are still in use. A kernel with larger pages refuses, and the pages stay.
      step("@and", [{ step: "started" }, PAGE_MASK], { label: "steps.forget" }),
      step("@add", [{ step: "begin" }, ~PAGE_MASK]),
      step("@and", [previous(), PAGE_MASK]),
      step("@sub", [previous(3), previous()], { onNegative: "end", onZero: "end" }),
      step("madvise", [previous(2), previous(), MADV_DONTNEED], { onNegative: "next" }),
    ],
  };
}

/** The steps that stop a whole container, and let it go on. */
export interface Freezer {
  readonly freeze: readonly Step[];
  readonly thaw: readonly Step[];
}

/** Region with the signals that were sent on to a container which is started again when it ends: bit N is signal N. */
export const SIGNALS = "restart.signals";

/**
 * Steps before a signal is sent on: it is noted. SIGTERM to the launcher itself, as at the end of a systemd unit, asks
 * the container to end for good.
 */
export function noteSignal({ detachment }: Pick<Setting, "detachment">, signal: Arg): Step[] {
  if (detachment?.restart === undefined) return [];
  return [
    step("@shl", [1, signal]),
    step("@or", [{ load: SIGNALS }, previous()]),
    step("@store", [{ region: SIGNALS }, previous()]),
  ];
}

/** The launcher's loop, for a container without a terminal of its own. */
export function planWatch(freezer: Freezer, setting: Pick<Setting, "detachment"> = {}): Act[] {
  const [forward, ...noted] = [
    ...noteSignal(setting, result("watch")),
    step("kill", [{ load: CHILD }, result("watch")], { onNegative: "watch", onZero: "watch" }),
  ];
  return [
    {
      what: "wait for signals",
      why: "SIGCHLD says that the container has ended; any other is sent on to it",
      shell: ["container", "wait $!"],
      steps: [
        step("rt_sigtimedwait", [{ region: "mask" }, { region: "info" }, 0, 8], {
          label: "watch",
          onNegative: "watch",
        }),
        step("@sub", [result("watch"), SIGCHLD], { onZero: "reap" }),
        step("@sub", [result("watch"), SIGTSTP], { onZero: "suspend" }),
        step("@sub", [result("watch"), SIGINT], { onZero: "interrupt" }),
        { ...forward!, label: "forward" },
        ...noted,
        step("wait4", [{ load: CHILD }, { region: BUILT_IN.status }, flags("WNOHANG"), 0], {
          label: "reap",
          onZero: "watch",
          onNegative: "ended",
          onPositive: "ended",
        }),
      ],
    },
    {
      what: "count Ctrl-C",
      why: "process 1 ignores a signal that it does not handle; the second Ctrl-C from the terminal kills it",
      shell: [],
      steps: [
        // si_code SI_KERNEL: typed at the terminal, not sent by a process.
        step("@and", [{ load: "info", offset: 8 }, 0xffffffff], { label: "interrupt" }),
        step("@sub", [previous(), 0x80], { onNegative: "forward", onPositive: "forward" }),
        step("@add", [{ load: "interrupts" }, 1]),
        step("@store", [{ region: "interrupts" }, previous()]),
        step("@sub", [previous(), 2], { onNegative: "forward" }),
        step("kill", [{ load: CHILD }, SIGKILL], { onNegative: "watch", onZero: "watch" }),
      ],
    },
    {
      what: "stop and go on with the shell's job",
      why: "Ctrl-Z freezes the whole container and then stops the launcher, so that `fg` and `bg` do what they say",
      shell: [],
      steps: [
        step("getpid", [], { label: "suspend" }),
        ...freezer.freeze.map((found) => ({ ...found, onNegative: "next" })),
        step("getpid", []),
        step("kill", [previous(), SIGSTOP]),
        ...freezer.thaw.map((found) => ({ ...found, onNegative: "next" })),
        step("@add", [0, 0], { onZero: "watch" }),
      ],
    },
  ];
}

/** Digits of a process id: the largest is 4194304 (`man 5 proc_sys_kernel`, pid_max). */
const PID_DIGITS = 7;

function recordPid(setting: Setting): Act {
  const path = text(`${setting.stateDir}/pid`);
  return {
    what: `write the process id to ${setting.stateDir}/pid`,
    why: "other commands find the container's first process by it",
    shell: [],
    steps: [
      step("@digits", [{ load: CHILD }, { region: "pid" }, PID_DIGITS], { label: "running" }),
      step("openat", [AT_FDCWD, path, flags("O_WRONLY", "O_CREAT", "O_CLOEXEC"), 0o600], {
        label: BEGUN,
        onNegative: "end",
      }),
      step("write", [previous(), { region: "pid" }, PID_DIGITS], { onNegative: "next" }),
      step("close", [previous(2)]),
    ],
  };
}
