/**
 * How a launcher ends: with the command's own code and nothing left behind, or, when there is something to tell or to
 * clean, by executing paddock; without paddock it tells in one line and cleans as well as it can.
 *
 * ```
 *   the command has ended ─▶ exit code ─▶ remove cgroups and directories ─▶ exit
 *   a step failed, a signal, a code from 125, something will not go away ─▶ leftovers:
 *       with paddock:  write the outcome ─▶ exec paddock, which explains and cleans
 *       alone:         say which step failed ─▶ remove, again and again for a second ─▶ exit
 * ```
 *
 * @module
 */
import { EXIT } from "../base/errors.ts";
import { BUILT_IN } from "../program/layout.ts";
import { STEP } from "../program/interpreter.ts";
import { type Act, type Arg, AT_FDCWD, flags, previous, result, type Step, step, text } from "../program/step.ts";
import { BEGUN, environmentSteps, GIVE_UP } from "./freshness.ts";
import { CODE, stringVector } from "./process.ts";
import { LOCK_FD, type Setting } from "./setting.ts";

/**
 * Where the child goes when a step fails: it notes the step and ends; the launcher sees it.
 *
 * @param report steps that tell of it where no launcher is left.
 */
export function planContainerFault(report: readonly Step[] = []): Act {
  // A filter may forbid even this. Then it dies of an address where nothing is.
  const [first, ...rest] = [...report, step("exit_group", [EXIT.failed], { onNegative: "next" })];
  return {
    what: "note which step failed",
    why: "the launcher reads it from the memory that both share",
    shell: [],
    steps: [
      step("@origin", [], { label: "container.fault" }),
      step("@store", [{ region: BUILT_IN.fault }, previous()]),
      { ...first!, label: "container.noted" },
      ...rest,
      step("@load", [0, 0]),
    ],
  };
}

/**
 * The exit code: the command's own, or 128 and the signal that ended it.
 *
 * @param unusual where it leads when there may be something to tell.
 */
export function planExitCode(setting: Setting, unusual = "leftovers"): Act {
  const tells = setting.keep || setting.trace || (setting.creation?.tells ?? false);
  const usual = setting.finish !== undefined && tells ? unusual : "next";
  return {
    what: "work out the exit code",
    why: "the command's own; 128 and the signal's number when a signal ended it",
    shell: [],
    steps: [
      step("@and", [{ load: BUILT_IN.status }, 0x7f], { label: "ended", onZero: "exited" }),
      step("@add", [previous(), 128]),
      step("@store", [{ region: CODE }, previous()], { onPositive: unusual }),
      step("@shr", [{ load: BUILT_IN.status }, 8], { label: "exited" }),
      step("@and", [previous(), 0xff]),
      step("@store", [{ region: CODE }, previous()]),
      // A code from 125 may be a shell's word for a signal, or init's for a command that it could not execute.
      step("@sub", [{ load: CODE }, EXIT.failed], { onNegative: usual, onZero: unusual, onPositive: unusual }),
    ],
  };
}

/** Removes the state directory and ends. */
export function planExit(setting: Setting): Act[] {
  const remove = (name: string) =>
    step("unlinkat", [AT_FDCWD, text(`${setting.stateDir}/${name}`), 0], { onNegative: "next" });
  const removal: Act = {
    what: `remove the state directory ${setting.stateDir}`,
    why: "nothing of the container is left",
    shell: [`rm -r ${setting.stateDir}`],
    steps: [
      ...[...setting.stateFiles, "pid", "lock"].map(remove),
      // Of further processes (`exec`); those that live have theirs in it.
      step("unlinkat", [AT_FDCWD, text(`${setting.stateDir}/exec`), flags("AT_REMOVEDIR")], { onNegative: "next" }),
      step("unlinkat", [AT_FDCWD, text(setting.stateDir), flags("AT_REMOVEDIR")], { onNegative: "next" }),
    ],
  };
  return [
    ...(setting.keep ? [] : [removal]),
    {
      what: "end with the container's exit code",
      why: "who called sees the command's own result",
      shell: ["exit $?"],
      steps: [step("exit_group", [{ load: CODE }], { label: "exit" })],
    },
  ];
}

/** Where the launcher goes when one of its own steps fails: the step is noted, and what was made is cleaned up. */
export function planLauncherFault(): Act {
  return {
    what: "note which step failed",
    why: "the error names it",
    shell: [],
    steps: [
      step("@origin", [], { label: "launcher.fault" }),
      step("@store", [{ region: BUILT_IN.fault }, previous()]),
    ],
  };
}

/** The launcher's data, as a record of what happened, in the state directory. */
export function planOutcome(setting: Setting, label: string): Act {
  const temporary = text(`${setting.stateDir}/outcome.new`);
  return {
    what: `write ${setting.stateDir}/outcome`,
    why: "the table with the result of each step is the record",
    shell: [],
    steps: [
      step("openat", [AT_FDCWD, temporary, flags("O_WRONLY", "O_CREAT", "O_TRUNC", "O_CLOEXEC"), 0o600], {
        label,
        onNegative: "end",
      }),
      step("write", [previous(), { region: BUILT_IN.data }, { load: BUILT_IN.size }], { onNegative: "next" }),
      step("close", [previous(2)]),
      step("renameat", [AT_FDCWD, temporary, AT_FDCWD, text(`${setting.stateDir}/outcome`)], { onNegative: "next" }),
    ],
  };
}

/**
 * Executes paddock, which tells why the container failed and removes what is left; TypeScript has better words.
 *
 * @param label of its first step.
 */
export function planFinish(setting: Setting, finish: NonNullable<Setting["finish"]>, label: string): Act[] {
  const lost = `paddock: cannot execute ${finish.argv[0]} to clean up after ${setting.name}: run \`paddock gc\`\n`;
  return [
    planOutcome(setting, label),
    {
      what: "execute paddock",
      why: "it tells what happened and removes what is left",
      shell: [],
      steps: [
        step("rt_sigprocmask", [flags("SIG_SETMASK"), { block: { size: 8, fields: [] } }, 0, 8]),
        ...(setting.cached === undefined ? [] : environmentSteps()),
        step("execve", [
          text(finish.argv[0] ?? ""),
          stringVector(finish.argv),
          setting.cached === undefined ? stringVector(finish.env) : previous(),
        ], { onNegative: "next" }),
        step("write", [2, text(lost), new TextEncoder().encode(lost).length], { onNegative: "next" }),
        step("exit_group", [{ load: CODE }]),
      ],
    },
  ];
}

/**
 * Goes on with the next act where a launcher from the cache failed before the command began, and to `otherwise` in all
 * other cases: when the command has begun, and when paddock made this launcher just now and would do the same again.
 */
export function planWhetherAnew(label: string, otherwise: string): Act {
  return {
    what: "see whether the command has begun",
    why: "a launcher from the cache that failed before has done nothing that anybody could have seen",
    shell: [],
    steps: [
      step("@add", [result(BEGUN), 0], { label, onNegative: otherwise, onPositive: otherwise }),
      step("@add", [result("begin"), 0], { onNegative: otherwise, onPositive: otherwise }),
    ],
  };
}

/** What paddock is to clean up must not have an owner; signals are taken up again. */
export function giveUpLock(): Act {
  return {
    what: "give up the lock",
    why: "paddock removes what is left of a container whose lock is free",
    shell: [],
    steps: [
      step("close", [LOCK_FD], { label: GIVE_UP, onNegative: "next" }),
      step("rt_sigprocmask", [flags("SIG_SETMASK"), { block: { size: 8, fields: [] } }, 0, 8], { onNegative: "next" }),
    ],
  };
}

/** A launcher that stands alone tells in one line which step failed and why. */
export function planReport(name: string): Act {
  const prefix = `paddock: ${name}: cannot `;
  const write = (address: Arg, length: Arg) => step("write", [2, address, length], { onNegative: "next" });
  const literal = (value: string) => write(text(value), new TextEncoder().encode(value).length);
  // The 64 bits at an entry are the address of its words and, above it, their length.
  const span = () => [
    step("@and", [previous(), 0xffffffff]),
    step("@shr", [previous(2), 32]),
    write(previous(2), previous(1)),
  ];
  return {
    what: "say which step failed",
    why: "there is no paddock to do it",
    shell: [],
    steps: [
      step("@add", [{ load: BUILT_IN.fault }, 0], { label: "leftovers", onZero: "end" }),
      literal(prefix),
      // The step says which of the words are its own in the top 16 bits of this word.
      step("@load", [{ load: BUILT_IN.fault }, STEP.targets]),
      step("@shr", [previous(), 48]),
      step("@shl", [previous(), 3]),
      step("@load", [previous(), { region: BUILT_IN.whats }]),
      ...span(),
      literal(": "),
      step("@load", [{ load: BUILT_IN.fault }, STEP.result]),
      step("@sub", [0, previous()]),
      step("@shl", [previous(), 3]),
      step("@load", [previous(), { region: BUILT_IN.errors }]),
      ...span(),
      literal("\n"),
    ],
  };
}

/** Tries a clean-up again for a second: a process that was killed may take that long to be gone. */
export function planRetry(label: string, again: string, givenUp: string): Act {
  const pause = { size: 16, fields: [{ at: 8, size: 4, value: 10_000_000 }] } as const;
  return {
    what: "try again to clean up",
    why: "a cgroup can be removed only when the last process in it is gone",
    shell: [],
    steps: [
      step("nanosleep", [{ block: pause }, 0], { label, onNegative: "next" }),
      step("@add", [{ load: "tries" }, 1]),
      step("@store", [{ region: "tries" }, previous()]),
      step("@sub", [previous(), 100], { onNegative: again, onZero: givenUp, onPositive: givenUp }),
    ],
  };
}
