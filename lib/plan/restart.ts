/**
 * Restart policies without paddock: at the end of a container its launcher executes itself once more.
 *
 * ```
 *   ended ─▶ asked to stop? (`stopping`)  code 0 of on-failure?  as often as it may? ─▶ leftovers: paddock records it
 *     │ no
 *     remove cgroups ─▶ write the count ─▶ sleep 100 ms, 200, … a minute ─▶ execve /proc/self/exe: all from the start,
 *                                            (a signal wakes it)            but for the division
 * ```
 *
 * The lock stays held all the while, so nobody takes the container for dead. Who wants it to end makes `stopping` first
 * and looks for a process to signal then; the launcher writes the process id first and looks for `stopping` then. So
 * one of them sees the other, whenever that comes.
 *
 * @module
 */
import { BUILT_IN } from "../program/layout.ts";
import {
  type Act,
  AT_FDCWD,
  type Block,
  type Field,
  flags,
  previous,
  type Region,
  result,
  type Step,
  step,
  text,
} from "../program/step.ts";
import { planRetry } from "./ending.ts";
import { planDieEvent } from "./journal.ts";
import type { RestartPlan } from "./detachment.ts";
import { CHILD, SIGNALS } from "./monitor.ts";
import { CODE, stringVector } from "./process.ts";
import type { Setting } from "./setting.ts";

/** Bytes of the file with the count. */
const RESTARTS_SIZE = 24;

/** Milliseconds before each start that follows a short life; the last stays. */
export const PAUSES: readonly number[] = [...Array(10).keys()].map((n) => 100 * 2 ** n).concat(60_000);

/** Seconds of life after which the pauses begin anew. */
const LONG_LIFE = 10;

const CLOCK_MONOTONIC = 1;
const SIGKILL = 9;
const SIGTERM = 15;
const SIGCHLD = 17;

const COUNT = { at: "restarts", offset: 0 };
const PAUSE = { at: "restarts", offset: 8 };
const STATUS = { at: "restarts", offset: 16 };
const load = ({ at, offset }: typeof COUNT) => ({ load: at, offset });
const place = ({ at, offset }: typeof COUNT) => ({ region: at, offset });

/** Memory of these acts. */
export const RESTART_REGIONS: Readonly<Record<string, Region>> = {
  restarts: { size: RESTARTS_SIZE },
  [SIGNALS]: { size: 8 },
  "restart.began": { size: 16 },
  "restart.ended": { size: 16 },
};

/** Where a launcher that executed itself goes on: there is a monitor already. */
const DIVIDED = "restart.divided";

/** Before the division: a further word on its command line says that this is not the first time. */
export function planWhetherAgain({ countFile }: RestartPlan): Act {
  return {
    what: "see whether it is started again",
    why: "then this is the monitor already, and it goes on counting",
    shell: [],
    steps: [
      step("@stack", []),
      step("@load", [previous(), 0]),
      step("@sub", [previous(), 1], { onZero: "end", onNegative: "end" }),
      step("openat", [AT_FDCWD, text(countFile), flags("O_RDONLY", "O_CLOEXEC"), 0], { onNegative: DIVIDED }),
      step("read", [previous(), { region: "restarts" }, RESTARTS_SIZE], { onNegative: "next" }),
      step("close", [previous(2)], { onZero: DIVIDED }),
    ],
  };
}

/** Behind the division. */
export function planDivided(): Act {
  return { what: "go on", why: "", shell: [], steps: [step("@add", [0, 0], { label: DIVIDED })] };
}

/** When the command has begun: from when on it lives, and whether it has been asked to end meanwhile. */
export function planBeginning({ stoppingFile }: RestartPlan): Act {
  return {
    what: "see whether it was asked to end meanwhile",
    why: "who did so before its process id was known could not tell it so",
    shell: [],
    steps: [
      step("clock_gettime", [CLOCK_MONOTONIC, { region: "restart.began" }], { onNegative: "next" }),
      step("faccessat", [AT_FDCWD, text(stoppingFile), 0], { onNegative: "end" }),
      step("kill", [{ load: CHILD }, SIGKILL], { onNegative: "next" }),
    ],
  };
}

/**
 * When the exit code is known: leads to `leftovers`, or to a new start.
 *
 * @param clean what takes away that the next start makes anew; what will not go leads to `leftovers`.
 * @param back steps back to where the launcher began.
 */
export function planRestart(
  setting: Setting,
  restart: RestartPlan,
  clean: readonly Act[],
  back: readonly Act[],
): Act[] {
  return [
    decide(setting, restart),
    ...clean.map((act) => ({
      ...act,
      steps: act.steps.map((one) => one.onNegative === "leftovers" ? { ...one, onNegative: "restart.retry" } : one),
    })),
    {
      what: "go on",
      why: "all is away",
      shell: [],
      steps: [step("@add", [0, 0], { onZero: "restart.count" })],
    },
    planRetry("restart.retry", "restart.clean", "leftovers"),
    count(restart),
    pause(restart),
    ...back,
    execute(setting),
  ];
}

function decide({ stateDir, journal }: Setting, { onFailure, stoppingFile }: RestartPlan): Act {
  const most = onFailure?.atMost;
  const failure: Step[] = onFailure === undefined ? [] : [step("@add", [{ load: CODE }, 0], { onZero: "leftovers" })];
  const often: Step[] = most === undefined
    ? []
    : [step("@sub", [load(COUNT), most], { onZero: "leftovers", onPositive: "leftovers" })];
  return {
    what: "see whether it is to be started again",
    why: "by its restart policy, unless it was asked to end",
    shell: [
      `code=$?; [ -e ${stoppingFile} ] && exit $code`,
      ...(onFailure === undefined ? [] : ["[ $code = 0 ] && exit"]),
      ...(most === undefined ? [] : [`[ $restarts -ge ${most} ] && exit $code`]),
    ],
    steps: [
      step("faccessat", [AT_FDCWD, text(stoppingFile), 0], {
        label: "restart",
        onNegative: "next",
        onZero: "leftovers",
      }),
      step("@and", [{ load: SIGNALS }, 1 << SIGTERM], { onPositive: "leftovers" }),
      ...failure,
      ...often,
      // Another process may have this number from now on.
      step("unlinkat", [AT_FDCWD, text(`${stateDir}/pid`), 0], { onNegative: "next" }),
      step("@store", [{ region: "tries" }, 0]),
      ...(journal === undefined ? [] : planDieEvent(journal).steps),
      step("@add", [0, 0], { label: "restart.clean" }),
    ],
  };
}

/** Which pause comes first, and the file that tells others of it. */
function count({ countFile }: RestartPlan): Act {
  return {
    what: "count the restarts",
    why: "whoever looks sees how often, and with which end; pauses grow until it has lived for ten seconds",
    shell: [],
    steps: [
      step("clock_gettime", [CLOCK_MONOTONIC, { region: "restart.ended" }], { label: "restart.count" }),
      step("@sub", [{ load: "restart.ended" }, { load: "restart.began" }]),
      step("@sub", [previous(), LONG_LIFE], { onNegative: "restart.short" }),
      step("@store", [place(PAUSE), 0]),
      step("@add", [load(COUNT), 1], { label: "restart.short" }),
      step("@store", [place(COUNT), previous()]),
      step("@store", [place(STATUS), { load: BUILT_IN.status }]),
      step("@shl", [load(PAUSE), 4], { label: "restart.pause" }),
      step("@sub", [load(PAUSE), PAUSES.length - 1], { onZero: "restart.write", onPositive: "restart.write" }),
      step("@add", [load(PAUSE), 1]),
      step("@store", [place(PAUSE), previous()]),
      step("openat", [AT_FDCWD, text(countFile), flags("O_WRONLY", "O_CREAT", "O_CLOEXEC"), 0o600], {
        label: "restart.write",
      }),
      step("write", [previous(), { region: "restarts" }, RESTARTS_SIZE]),
      step("close", [previous(2)]),
    ],
  };
}

/** `struct timespec` of each pause. */
const TIMES: Block = {
  size: 16 * PAUSES.length,
  fields: PAUSES.flatMap((milliseconds, index): Field[] => [
    { at: 16 * index, size: 8, value: Math.floor(milliseconds / 1000) },
    { at: 16 * index + 8, size: 8, value: (milliseconds % 1000) * 1_000_000 },
  ]),
};

function pause({ stoppingFile }: RestartPlan): Act {
  return {
    what: "wait before it is started again",
    why: "what fails at once must not keep the host busy",
    shell: ["sleep 0.1 # the next time 0.2, 0.4, … 60"],
    steps: [
      step("@add", [{ block: TIMES }, result("restart.pause")]),
      step("rt_sigtimedwait", [{ region: "mask" }, { region: "info" }, previous(), 8], {
        label: "restart.sleep",
        onNegative: "restart.over",
      }),
      // SIGCHLD says: look. Any other signal would have ended the command.
      step("@sub", [previous(), SIGCHLD], { onNegative: "leftovers", onPositive: "leftovers" }),
      step("faccessat", [AT_FDCWD, text(stoppingFile), 0], { onNegative: "restart.sleep", onZero: "leftovers" }),
      step("faccessat", [AT_FDCWD, text(stoppingFile), 0], {
        label: "restart.over",
        onNegative: "end",
        onZero: "leftovers",
      }),
    ],
  };
}

function execute({ name }: Setting): Act {
  return {
    what: "execute itself once more",
    why: "the same file does the same again, in memory that is as it was at first",
    shell: ['exec "$0" again'],
    steps: [
      step("execve", [text("/proc/self/exe"), stringVector([`paddock: ${name}`, "again"]), stringVector([])], {
        onNegative: "leftovers",
      }),
    ],
  };
}
