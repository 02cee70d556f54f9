/**
 * Hooks: programs that are run at points of a container's life (runtime-spec config.md, POSIX-platform Hooks).
 *
 * ```
 *   launcher, in the runtime's namespaces      container
 *   clone ───────────────────────────────────▶ cgroups, mounts …
 *   wait (futex "vm")                          vm = 3, wake
 *   prestart, createRuntime                    wait (futex "hooks.go")
 *   hooks.go = 1, wake ──────────────────────▶ createContainer: a program of the host, before the pivot
 *                                              pivot, ids, … (created: wait for `start`)
 *                                              startContainer: a program of the container, as the command would be
 *                                              exec ──▶ the command
 *   poststart, where the launcher watches over the container; else `paddock start` runs it
 * ```
 *
 * `poststop` is for who removes the container (`lib/runtime/hooks.ts`).
 *
 * Each hook is a child of the side that it belongs to: its state on standard input is a file in memory, and so are its
 * two outputs, which are told when it fails. It is waited for by a descriptor of signals, with its timeout; who wants
 * the whole to end (SIGTERM, Ctrl-C) ends the hook, which is a failure as any other.
 *
 * @module
 */
import { errnoNumber } from "../base/errno.ts";
import { quoteCommand } from "../base/text.ts";
import { BUILT_IN } from "../program/layout.ts";
import { type Act, AT_FDCWD, flags, previous, type Region, result, type Step, step, text } from "../program/step.ts";
import type { Config, Hook, Hooks } from "../spec/config.ts";
import { beforePid, splitState, type StateFields } from "../spec/state.ts";
import { CHILD } from "./monitor.ts";
import { isNew, planReturn } from "./namespaces.ts";
import { stringVector } from "./process.ts";
import type { Setting } from "./setting.ts";
import { LOCK_FD } from "./setting.ts";
import { ROOT } from "./targets.ts";

/** How much of what a failed hook said is told, bytes. */
const OUT_SIZE = 1024;
const ERR_SIZE = 4096;

/** A region that lies in the file, so that it is in the record of what happened. */
const recorded = (size: number): Region => ({ size, fields: [{ at: 0, size: 1, value: 0 }] });

/** Memory of the steps of hooks. */
export function hookRegions(config: Config): Readonly<Record<string, Region>> {
  if (!hasHooks(config)) return {};
  return {
    "hooks.go": { size: 8 },
    [MOUNTS]: { size: 8 },
    [CLOCKS]: { size: 8 },
    "hook.mask": { size: 8 },
    "hook.poll": { size: 8 },
    "hook.time": { size: 16 },
    "hook.info": { size: 128 },
    "hook.status": { size: 8 },
    "hook.pid": { size: 8 },
    "hook.digits": { size: 8 },
    "hook.length": { size: 8 },
    "hook.out": recorded(OUT_SIZE),
    "hook.err": recorded(ERR_SIZE),
  };
}

/** True where the Config has hooks of one of these points; of any where none is named. */
export function hasHooks({ hooks = {} }: Config, ...names: readonly (keyof Hooks)[]): boolean {
  const wanted = names.length === 0 ? Object.keys(hooks) as (keyof Hooks)[] : names;
  return wanted.some((name) => (hooks[name]?.length ?? 0) > 0);
}

/** True where the container waits for hooks that the launcher runs. */
export function awaitsHooks(config: Config): boolean {
  return hasHooks(config, "prestart", "createRuntime");
}

/** True where `start` waits for the exec: something comes before it that may fail, or follows it. */
export function awaitsExec(config: Config): boolean {
  return hasHooks(config, "startContainer", "poststart");
}

/** What the container's side stores in "vm" when it waits for hooks. */
export const AT_HOOKS = 3;

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;
/** Regions with descriptors of namespaces. */
const MOUNTS = "hooks.mounts";
const CLOCKS = "hooks.clocks";

/** In the launcher, before it leaves namespaces that its hooks are to be in. */
export function planRememberNamespaces(config: Config): Act[] {
  if (!hasHooks(config, "prestart", "createRuntime", "poststart")) return [];
  const open = (file: string, region: string) => [
    step("openat", [AT_FDCWD, text(`/proc/self/ns/${file}`), flags("O_RDONLY", "O_CLOEXEC")]),
    step("@store", [{ region }, previous()]),
  ];
  const steps = [
    ...(isNew(config, "user") ? open("mnt", MOUNTS) : []),
    ...(hasClocks(config) ? open("time", CLOCKS) : []),
  ];
  return steps.length === 0 ? [] : [{
    what: "remember the launcher's own namespaces",
    why: "hooks of the runtime are run in them, and the launcher or its children leave them",
    shell: [],
    steps,
  }];
}

function hasClocks({ linux: { namespaces } }: Config): boolean {
  return namespaces.some(({ type }) => type === "time");
}

/** In the container's side, before the pivot: waits for the runtime's hooks, and runs those of `createContainer`. */
export function planCreateHooks(config: Config, setting: Setting): Act[] {
  return [
    ...(awaitsHooks(config) ? [planWaitForHooks()] : []),
    ...planHooks(config, setting, {
      names: ["createContainer"],
      status: "creating",
      pid: "own",
      prepare: [
        // A umask that its files are usable with; the container's own comes later.
        step("umask", [0o022]),
        step("fchdir", [result(ROOT)]),
      ],
      failed: "container.noted",
    }),
  ];
}

function planWaitForHooks(): Act {
  return {
    what: "wait for the runtime's hooks",
    why: "they see the container with its mounts, and may change it before it enters its root",
    shell: [],
    steps: [
      step("@store", [{ region: "vm" }, AT_HOOKS]),
      step("futex", [{ region: "vm" }, FUTEX_WAKE, 1, 0, 0, 0], { onNegative: "next" }),
      step("@and", [{ load: "hooks.go" }, 0xffffffff], { label: "hooks.wait", onPositive: "end" }),
      step("futex", [{ region: "hooks.go" }, FUTEX_WAIT, 0, 0, 0, 0], {
        onNegative: "hooks.wait",
        onZero: "hooks.wait",
      }),
    ],
  };
}

/** In the launcher, after the clone: the hooks of the runtime, while the container waits. Begins at the label `hooks`. */
export function planRuntimeHooks(config: Config, setting: Setting): Act[] {
  return [
    {
      what: "wait until the container is ready for hooks",
      why: "the child says so in memory that both share; the kernel does where it ends instead",
      shell: [],
      steps: [
        step("@and", [{ load: "vm" }, 0xffffffff], { label: "hooks", onZero: "unready" }),
        step("@sub", [previous(), AT_HOOKS], { onZero: "end" }),
        step("futex", [{ region: "vm" }, FUTEX_WAIT, 1, 0, 0, 0], { onNegative: "hooks", onZero: "hooks" }),
      ],
    },
    ...planReturn(config),
    ...planHooks(config, setting, {
      names: ["prestart", "createRuntime"],
      status: "creating",
      pid: "child",
      prepare: goHome(config, setting),
      failed: "leftovers",
    }),
    {
      what: "let the container go on",
      why: "the hooks of the runtime have done their work",
      shell: [],
      steps: [
        step("@store", [{ region: "hooks.go" }, 1]),
        step("futex", [{ region: "hooks.go" }, FUTEX_WAKE, 1, 0, 0, 0], { onNegative: "next" }),
      ],
    },
  ];
}

/** Where any other step fails while the launcher runs hooks: the label of what notes it and ends the container. */
export function hooksFault(name: "prestart" | "poststart"): string {
  return `${name}.broken`;
}

/** In the launcher that watches over a container: the hooks that follow its start. */
export function planPoststartHooks(config: Config, setting: Setting): Act[] {
  if (!hasHooks(config, "poststart")) return [];
  return [
    ...planReturn(config),
    ...planHooks(config, setting, {
      names: ["poststart"],
      status: "running",
      pid: "child",
      prepare: goHome(config, setting),
      failed: "leftovers",
    }),
    {
      what: "look again whether the container has ended",
      why: "its signal may have been taken up while a hook was waited for",
      shell: [],
      steps: [step("getpid", []), step("kill", [previous(), SIGCHLD])],
    },
  ];
}

/**
 * In the container's side, last but for the exec: hooks that are the container's own programs, bound as its command is.
 *
 * @param filter each puts it on itself; empty where the process that runs them has it on already.
 */
export function planStartHooks(config: Config, setting: Setting, filter: readonly Act[]): Act[] {
  return planHooks(config, setting, {
    names: ["startContainer"],
    status: "created",
    pid: "own",
    prepare: [],
    filter: filter.flatMap(({ steps }) => steps),
    failed: "container.noted",
    env: config.process.env,
  });
}

/** In the child that becomes a hook of the runtime: namespaces that its parent has left, and the bundle. */
function goHome(config: Config, { bundle = "/" }: Setting): Step[] {
  return [
    ...(isNew(config, "user") ? [step("setns", [{ load: MOUNTS }, flags("CLONE_NEWNS")])] : []),
    ...(hasClocks(config) ? [step("setns", [{ load: CLOCKS }, CLONE_NEWTIME])] : []),
    step("chdir", [text(bundle)]),
  ];
}

/** Hooks that are run one after the other. */
interface HookGroup {
  readonly names: readonly (keyof Hooks)[];
  readonly status: StateFields["status"];
  /** Whose process id the state says: who runs the hooks, or its child. */
  readonly pid: "own" | "child";
  /** What the hook's process does before its exec. */
  readonly prepare: readonly Step[];
  /** Label of what comes after a failure was noted. */
  readonly failed: "container.noted" | "leftovers";
  /** The filter of system calls that the hook's process puts on itself last of all. */
  readonly filter?: readonly Step[];
  /** The environment of hooks that say nothing of it. */
  readonly env?: readonly string[];
}

const SIGKILL = 9;
const SIGPIPE = 13;
const SIGCHLD = 17;
const CLONE_NEWTIME = 0x80;
/** SIGCHLD, and those by which somebody ends paddock: HUP, INT, QUIT, TERM. */
const SIGNALS = [1, 2, 3, 15, SIGCHLD].reduce((mask, signal) => mask | 1 << (signal - 1), 0);
const DEFAULT_ACTION = { block: { size: 32, fields: [] } } as const;
const NO_SIGNALS = { block: { size: 8, fields: [] } } as const;

function planHooks(config: Config, setting: Setting, group: HookGroup): Act[] {
  const hooks = group.names.flatMap((name) =>
    (config.hooks?.[name] ?? []).map((hook, index) => ({ hook, name, key: `${name}.${index}`, place: index }))
  );
  if (hooks.length === 0) return [];
  // One label to fail at, whichever of the names is there.
  const key = group.names[0]!;
  return [
    begin(key, group),
    ...hooks.map(({ hook, name, key: own, place }): Act => ({
      what: `run ${name} hook #${place} (${quoteCommand([hook.path])})`,
      why: "asked for: a program that prepares something for the container, or notes that it is there",
      shell: [`${quoteCommand([hook.path, ...(hook.args ?? []).slice(1)])} <state.json`],
      steps: runHook(config, setting, { hook, key: own, group, parent: key }),
    })),
    end(key, group),
  ];
}

/** Descriptors and memory that all hooks of a group use. */
function begin(key: string, { pid }: HookGroup): Act {
  const lengths = [1, 2, 3, 4, 5, 6];
  return {
    what: "prepare for hooks",
    why: "what they say is told when they fail, and their end is waited for no longer than they may take",
    shell: [],
    steps: [
      // Where a child's end is ignored nobody learns how it ended.
      step("rt_sigaction", [SIGCHLD, DEFAULT_ACTION, 0, 8]),
      step("@and", [{ load: "mask" }, SIGNALS]),
      step("@store", [{ region: "hook.mask" }, previous()]),
      step("rt_sigprocmask", [flags("SIG_BLOCK"), { region: "hook.mask" }, 0, 8]),
      step("signalfd4", [-1, { region: "hook.mask" }, 8, flags("SFD_CLOEXEC")], { label: `${key}.signals` }),
      step("@or", [previous(), 2 ** 32]), // POLLIN
      step("@store", [{ region: "hook.poll" }, previous()]),
      step("memfd_create", [text("hook-stdout"), MFD_CLOEXEC], { label: `${key}.out` }),
      step("memfd_create", [text("hook-stderr"), MFD_CLOEXEC], { label: `${key}.err` }),
      pid === "own" ? step("getpid", []) : step("@add", [{ load: CHILD }, 0]),
      step("@store", [{ region: "hook.pid" }, previous()]),
      step("@digits", [previous(), { region: "hook.digits" }, PID_DIGITS]),
      // JSON knows no leading zeros.
      ...lengths.flatMap((length) => [
        step("@store", [{ region: "hook.length" }, length]),
        step("@sub", [{ load: "hook.pid" }, 10 ** length], { onNegative: "end" }),
      ]),
      step("@store", [{ region: "hook.length" }, PID_DIGITS]),
    ],
  };
}

const MFD_CLOEXEC = 1;
const PID_DIGITS = 7;

interface PlacedHook {
  readonly hook: Hook;
  readonly key: string;
  readonly group: HookGroup;
  /** Beginning of the labels of its group. */
  readonly parent: string;
}

function runHook(config: Config, setting: Setting, placed: PlacedHook): Step[] {
  const { hook, key, group, parent } = placed;
  const { path, args = [path], env = group.env ?? [] } = hook;
  const failed = `${parent}.failed`;
  // A time namespace can be joined only by a process whose memory is its own.
  const shares = group.pid === "own" || !hasClocks(config);
  return [
    ...["out", "err"].flatMap((stream) => [
      step("ftruncate", [result(`${parent}.${stream}`), 0]),
      step("lseek", [result(`${parent}.${stream}`), 0, 0]),
    ]),
    ...writeState(config, setting, placed),
    step("clone", [flags(...(shares ? ["CLONE_VM"] : []), "CLONE_VFORK", "SIGCHLD"), 0, 0, 0, 0], {
      label: `${key}.clone`,
      onPositive: `${key}.started`,
    }),
    // The hook's process. Its group can be ended as a whole.
    step("setpgid", [0, 0], { onNegative: "next" }),
    // Nobody waits for it when its parent was killed.
    step("prctl", [flags("PR_SET_PDEATHSIG"), SIGKILL, 0, 0, 0]),
    step("dup3", [result(`${key}.state`), 0, 0]),
    step("dup3", [result(`${parent}.out`), 1, 0]),
    step("dup3", [result(`${parent}.err`), 2, 0]),
    step("rt_sigaction", [SIGPIPE, DEFAULT_ACTION, 0, 8]),
    step("rt_sigprocmask", [flags("SIG_SETMASK"), NO_SIGNALS, 0, 8]),
    ...group.prepare.map((found) => ({ ...found, onNegative: `${key}.lost` })),
    // It inherits nothing else: neither the lock nor what the container is handed.
    step("close_range", [3, 0xffffffff, 0], { onNegative: "next" }),
    step("close", [LOCK_FD], { onNegative: "next" }),
    ...(group.filter ?? []).map(({ label: _, ...found }) => ({ ...found, onNegative: `${key}.lost` })),
    step("execve", [text(path), stringVector(args), stringVector(env)], { label: `${key}.exec`, onNegative: "next" }),
    step("exit_group", [127], { label: `${key}.lost` }),
    // Its parent, once it has executed, or has ended without.
    step("@add", [result(`${key}.exec`), 0], { label: `${key}.started`, onNegative: failed }),
    step("close", [result(`${key}.state`)]),
    step("@store", [{ region: "hook.time" }, hook.timeout ?? 0]),
    step("@store", [{ region: "hook.time", offset: 8 }, 0]),
    // The kernel leaves in the time what is left of it.
    step("ppoll", [{ region: "hook.poll" }, 1, hook.timeout === undefined ? 0 : { region: "hook.time" }, 0, 8], {
      label: `${key}.wait`,
      onZero: `${key}.late`,
    }),
    step("read", [result(`${parent}.signals`), { region: "hook.info" }, 128]),
    step("@and", [{ load: "hook.info" }, 0xffffffff]),
    step("@sub", [previous(), SIGCHLD], { onNegative: `${key}.stop`, onPositive: `${key}.stop` }),
    step("wait4", [result(`${key}.clone`), { region: "hook.status" }, flags("WNOHANG"), 0], { onZero: `${key}.wait` }),
    // By these three the error tells how it ended.
    step("@and", [{ load: "hook.status" }, 0xffff], { onZero: "end", onPositive: failed }),
    step("@or", [1, 0], { label: `${key}.late`, onPositive: `${key}.kill` }),
    step("@shl", [1, 0], { label: `${key}.stop` }),
    step("@sub", [0, result(`${key}.clone`)], { label: `${key}.kill` }),
    step("kill", [previous(), SIGKILL], { onNegative: "next" }),
    step("wait4", [result(`${key}.clone`), { region: "hook.status" }, 0, 0], { onNegative: "next" }),
    step("@sub", [0, errnoNumber("ETIMEDOUT")], { onNegative: failed }),
  ];
}

/** The state as a file in memory, of any length and read from its beginning. */
function writeState(config: Config, { id, bundle = "/" }: Setting, { key, group: { status } }: PlacedHook): Step[] {
  const [before, word, after] = splitState({ id, status, bundle, annotations: config.annotations });
  const file = result(`${key}.state`);
  const literal = (value: string) => step("write", [file, text(value), new TextEncoder().encode(value).length]);
  return [
    step("memfd_create", [text("hook-state"), MFD_CLOEXEC], { label: `${key}.state` }),
    literal(`${before}${word}${beforePid}`),
    step("@sub", [{ region: "hook.digits", offset: PID_DIGITS }, { load: "hook.length" }]),
    step("write", [file, previous(), { load: "hook.length" }]),
    literal(after),
    step("lseek", [file, 0, 0]),
  ];
}

/** What the group used is given back; and where a hook that failed leads. */
function end(key: string, { failed, pid }: HookGroup): Act {
  const keep = (stream: string, size: number) =>
    step("pread64", [result(`${key}.${stream}`), { region: `hook.${stream}` }, size, 0], { onNegative: "next" });
  const endContainer = [
    step("kill", [{ load: CHILD }, SIGKILL], { onNegative: "next" }),
    step("wait4", [{ load: CHILD }, { region: BUILT_IN.status }, 0, 0], { onNegative: "next" }),
  ];
  return {
    what: HOOK_WORDS,
    why: "a hook that fails ends the container, and what it said is part of the error",
    shell: [],
    steps: [
      ...["signals", "out", "err"].map((name) => step("close", [result(`${key}.${name}`)])),
      step("rt_sigprocmask", [
        flags("SIG_SETMASK"),
        pid === "own" && key === "startContainer" ? NO_SIGNALS : MASK,
        0,
        8,
      ], {
        onZero: "end",
      }),
      step("@origin", [], { label: `${key}.failed` }),
      step("@store", [{ region: BUILT_IN.fault }, previous()]),
      keep("out", OUT_SIZE),
      keep("err", ERR_SIZE),
      step("@add", [0, 0], { onZero: pid === "own" ? failed : `${key}.ended` }),
      step("@origin", [], { label: `${key}.broken` }),
      step("@store", [{ region: BUILT_IN.fault }, previous()]),
      ...(pid === "own" ? [] : [
        step("@add", [0, 0], { label: `${key}.ended` }),
        ...endContainer,
      ]),
      step("@add", [0, 0], { onZero: failed }),
    ],
  };
}

const MASK = { region: "mask" } as const;

/** The act whose steps read what a failed hook said; their results are the lengths. */
export const HOOK_WORDS = "keep what the hook said";
