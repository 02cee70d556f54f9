/**
 * A stopwatch that costs nothing of what it measures: itself a launcher, compiled from a plan of a few system calls, that
 * takes the time, starts a command, waits for it, takes the time again and prints what the kernel has counted.
 *
 * Deno's own way to start a process, its event loop and a shell's fork are thus outside of every figure.
 *
 * @module
 */
import { join } from "@std/path";
import { assemble } from "../../lib/program/assemble.ts";
import {
  type Act,
  type Arg,
  AT_FDCWD,
  type Constant,
  type Field,
  flags,
  type Plan,
  previous,
  result,
  step,
  text,
} from "../../lib/program/step.ts";

/** A command to measure: words, the first an absolute path, and all of its environment. */
export interface Command {
  readonly words: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What one run of a command took. */
export interface Sample {
  /** Milliseconds from before the clone to after the wait. */
  readonly wall: number;
  /** Milliseconds of processor time, user and system, of the command and of all that it has waited for. */
  readonly cpu: number;
  /** The largest resident set of one of these processes, bytes. */
  readonly peak: number;
}

/** Measures a command. */
export class Stopwatch {
  readonly #file: string;
  /** What the command prints on its standard error. A file, for what it leaves running would hold a pipe open. */
  readonly #said: string;

  /**
   * @param directory where the program is written.
   * @param under words that the program is started by, outside of the time.
   */
  constructor(readonly command: Command, directory: string, readonly under: readonly string[] = []) {
    this.#file = join(directory, `stopwatch-${crypto.randomUUID()}`);
    this.#said = `${this.#file}.stderr`;
    Deno.writeFileSync(this.#file, assemble(planStopwatch(command, this.#said)), { mode: 0o755 });
  }

  /** Runs it once. @throws Error where it does not end with 0. */
  async measure(): Promise<Sample> {
    const options = { stdin: "null", stdout: "piped", stderr: "null" } as const;
    const [file, ...args] = [...this.under, this.#file];
    const { stdout } = await new Deno.Command(file!, { ...options, args }).output();
    if (stdout.length !== LAYOUT.size) throw new Error(`no figures of ${this.command.words[0]}`);
    const view = new DataView(stdout.buffer);
    const status = view.getUint32(LAYOUT.status, true);
    if (status !== 0) {
      const said = Deno.readTextFileSync(this.#said).trim().split("\n").at(-1);
      throw new Error(`${this.command.words.join(" ")}: wait status 0x${status.toString(16)}: ${said}`);
    }
    const seconds = (at: number, fraction: number): number =>
      Number(view.getBigInt64(at, true)) + Number(view.getBigInt64(at + 8, true)) / fraction;
    const [NANO, MICRO, USER, SYSTEM, MAXRSS] = [1e9, 1e6, 0, 16, 32];
    return {
      wall: 1000 * (seconds(LAYOUT.end, NANO) - seconds(LAYOUT.begin, NANO)),
      cpu: 1000 * (seconds(LAYOUT.usage + USER, MICRO) + seconds(LAYOUT.usage + SYSTEM, MICRO)),
      peak: 1024 * Number(view.getBigInt64(LAYOUT.usage + MAXRSS, true)),
    };
  }
}

/** What the program prints: two `struct timespec`, the wait status, `struct rusage` (`man 2 getrusage`). */
const LAYOUT = { begin: 0, end: 16, status: 32, usage: 40, size: 184 } as const;
const CLOCK_MONOTONIC = 1;
const NOT_FOUND = 127;

function planStopwatch({ words, env = {} }: Command, said: string): Plan {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const sample = (offset: number): Arg => ({ region: "sample", offset });
  const start = act("measure the command", [
    step("clock_gettime", [CLOCK_MONOTONIC, sample(LAYOUT.begin)]),
    // Memory is shared, as with vfork, but not the descriptors.
    step("clone", [flags("CLONE_VM", "CLONE_VFORK", "SIGCHLD"), 0, 0, 0, 0], { label: "clone", onZero: "command" }),
    step("wait4", [result("clone"), sample(LAYOUT.status), 0, sample(LAYOUT.usage)]),
    step("clock_gettime", [CLOCK_MONOTONIC, sample(LAYOUT.end)]),
    step("write", [1, { region: "sample" }, LAYOUT.size]),
    step("exit_group", [0]),
    step("exit_group", [NOT_FOUND], { label: "fault" }),
  ]);
  const command = act("execute the command", [
    step("openat", [AT_FDCWD, text("/dev/null"), flags("O_RDWR")], { label: "command" }),
    step("dup3", [previous(1), 0, 0]),
    step("dup3", [previous(2), 1, 0]),
    step("openat", [AT_FDCWD, text(said), flags("O_WRONLY", "O_CREAT", "O_TRUNC"), 0o600]),
    step("dup3", [previous(1), 2, 0]),
    step("execve", [text(words[0]!), vector(words), vector(variables)]),
  ]);
  return {
    arch: Deno.build.arch,
    name: "stopwatch",
    regions: { sample: { size: LAYOUT.size } },
    sections: [
      { side: "launcher", title: "the stopwatch", fault: "fault", acts: [start] },
      { side: "container", title: "the command", fault: "fault", acts: [command] },
    ],
    cgroupPaths: [],
  };
}

function act(what: string, steps: Act["steps"]): Act {
  return { what, why: "", shell: [], steps };
}

/** A NULL-terminated array of strings. */
function vector(words: readonly string[]): Arg & Constant {
  const fields = words.map((word, index): Field => ({ at: 8 * index, size: 8, value: text(word) }));
  return { block: { size: 8 * (words.length + 1), fields } };
}
