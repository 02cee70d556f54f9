/**
 * The container's process: its session, its signals, its directory, and the exec of the command.
 *
 * @module
 */
import { quoteCommand, quoteShell } from "../base/text.ts";
import { EXIT } from "../base/errors.ts";
import { errnoNumber } from "../base/errno.ts";
import {
  type Act,
  type Arg,
  AT_FDCWD,
  type Constant,
  type Field,
  flags,
  result,
  type Step,
  step,
  text,
} from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { DEFAULT_PATH } from "../spec/defaults.ts";
import { LOCK_FD } from "./setting.ts";
import { splitPath } from "./targets.ts";

/** Region that holds the exit code to end with. */
export const CODE = "code";

/**
 * The first acts of the child: it dies with its launcher, and leads a session.
 *
 * @param watched false where the launcher ends before the container does.
 */
export function planSession(watched = true): Act[] {
  return [{
    what: "begin a session",
    why:
      "the caller's terminal is out of reach (nothing can be typed into it), and signals come from the launcher alone",
    shell: ["setsid"],
    steps: [
      ...(watched ? [dieWithLauncher()] : []),
      step("setsid", []),
      step("umask", [0]),
    ],
  }];
}

/** The container must not outlive who watches over it. */
function dieWithLauncher(): Step {
  const SIGKILL = 9;
  return step("prctl", [flags("PR_SET_PDEATHSIG"), SIGKILL, 0, 0, 0]);
}

/** Standard input from nothing, where the caller's is not to be had. */
export function planEmptyInput(): Act {
  return {
    what: "give it an empty standard input",
    why: "asked for: the caller's input is left to others",
    shell: ["exec </dev/null"],
    steps: [
      step("openat", [AT_FDCWD, text("/dev/null"), flags("O_RDONLY", "O_CLOEXEC")]),
      step("dup3", [{ previous: 1 }, 0, 0], { onNegative: "next" }),
      step("close", [{ previous: 2 }]),
    ],
  };
}

/** Makes the working directory, as docker does, and enters it while that is allowed. */
export function planDirectory(config: Config): Act[] {
  const { cwd } = config.process;
  const parts = splitPath(cwd);
  return [{
    what: `enter the working directory ${cwd}`,
    why: "asked for by the image or the user; it is made when it is missing",
    shell: [`mkdir -p ${quoteShell(cwd)} && cd ${quoteShell(cwd)}`],
    steps: [
      ...parts.map((_, index) =>
        step("mkdirat", [AT_FDCWD, text(`/${parts.slice(0, index + 1).join("/")}`), 0o755], { onNegative: "next" })
      ),
      // Root may enter what the user may not; where root may not (a network filesystem), the user tries again.
      step("chdir", [text(cwd)], { label: "chdir", onNegative: "next" }),
    ],
  }];
}

/**
 * Handlers go with the exec, but what is ignored stays ignored, and what is blocked stays blocked: Deno ignores
 * SIGPIPE, and a shell that is started so cannot even trap it.
 */
export function resetSignals(watched = true): Act {
  const LAST_SIGNAL = 64;
  return {
    what: "reset all signals",
    why: "every signal does what it does by default, and none is blocked, whatever the caller had set",
    shell: ["env --default-signal"],
    steps: [
      step("@store", [{ region: "counter" }, 1]),
      // SIGKILL and SIGSTOP refuse, and need no reset.
      step("rt_sigaction", [{ load: "counter" }, { block: { size: 32, fields: [] } }, 0, 8], {
        label: "signals.loop",
        onNegative: "next",
      }),
      step("@add", [{ load: "counter" }, 1]),
      step("@store", [{ region: "counter" }, { previous: 1 }]),
      step("@sub", [{ load: "counter" }, LAST_SIGNAL + 1], { onNegative: "signals.loop" }),
      step("rt_sigprocmask", [flags("SIG_SETMASK"), { block: { size: 8, fields: [] } }, 0, 8]),
      // Once more: the kernel forgets it when ids or capabilities change (`man 2 prctl`, PR_SET_PDEATHSIG).
      ...(watched ? [dieWithLauncher()] : []),
    ],
  };
}

/** A working directory outside the rootfs, by a leaked descriptor, would be a way out (CVE-2024-21626). */
export function planDirectoryCheck({ process: { cwd } }: Config): Act {
  return {
    what: `check the working directory ${cwd}`,
    why: "what the kernel calls the current directory must begin at the container's root",
    shell: ['[ "${PWD#/}" != "$PWD" ]'],
    steps: [
      step("@add", [result("chdir"), 0], { onZero: "directory.entered" }),
      step("chdir", [text(cwd)]),
      step("getcwd", [{ region: "path" }, 4096], { label: "directory.entered" }),
      step("@and", [{ load: "path" }, 0xff]),
      // ENOENT stands for "(unreachable)", which is how the kernel names a directory outside.
      step("@sub", [{ previous: 1 }, "/".charCodeAt(0)], { onZero: "end" }),
      step("chdir", [text("")]),
    ],
  };
}

/** The paths that the command may be at: itself with a slash in it, else its name in each directory of PATH. */
export function candidates(config: Config): string[] {
  const command = config.process.args[0] ?? "";
  if (command.includes("/")) return [command];
  const entry = config.process.env.findLast((variable) => variable.startsWith("PATH="));
  const path = entry?.slice("PATH=".length) || DEFAULT_PATH;
  return path.split(":").map((directory) => directory === "" ? `./${command}` : `${directory}/${command}`);
}

/** The lock of the container is the launcher's: the command has no descriptor but the standard ones. */
export function planCloseLock(): Act {
  return {
    what: "close the container's lock",
    why: "it is the launcher's, and says that the container is alive",
    shell: [],
    steps: [step("close", [LOCK_FD], { onNegative: "next" })],
  };
}

/** A NULL-terminated array of strings. */
export function stringVector(words: readonly string[]): Arg & Constant {
  const fields = words.map((value, index): Field => ({ at: 8 * index, size: 8, value: text(value) }));
  return { block: { size: 8 * (words.length + 1), fields } };
}

/**
 * One exec for each candidate. What is not there leads to the next; what is there and refuses is remembered, and the
 * next is tried all the same, as shells do. The code to end with says which it was.
 */
export function planExec(config: Config): Act {
  const args = stringVector(config.process.args);
  const env = stringVector(config.process.env);
  const missing = [errnoNumber("ENOENT"), errnoNumber("ENOTDIR")];
  const steps = candidates(config).flatMap((path, index): Step[] => [
    step("execve", [text(path), args, env], { onNegative: "next", ...(index === 0 ? { label: "exec" } : {}) }),
    step("@add", [{ previous: 1 }, missing[0]!], { onZero: `exec.${index}` }),
    step("@add", [{ previous: 2 }, missing[1]!], { onZero: `exec.${index}` }),
    step("@store", [{ region: "refused" }, { previous: 3 }]),
    step("@add", [0, 0], { label: `exec.${index}` }),
  ]);
  return {
    what: `execute ${quoteCommand(config.process.args)}`,
    why: "the command takes this process over; it is the container's first",
    shell: [`exec ${quoteCommand(config.process.args)}`],
    steps: [
      ...steps,
      step("@store", [{ region: CODE }, EXIT.notFound]),
      step("@add", [{ load: "refused" }, 0], { onZero: "exec.failed", onPositive: "exec.failed" }),
      step("@store", [{ region: CODE }, EXIT.cannotExecute]),
      // What the fault names is the refusal, or that the last candidate is not there.
      step("@sub", [{ load: "refused" }, 0], { label: "exec.refused", onNegative: "container.fault" }),
      step("@sub", [0, missing[0]!], { label: "exec.failed", onNegative: "container.fault" }),
    ],
  };
}
