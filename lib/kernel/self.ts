/**
 * How to start paddock again: a launcher execs it when there is something to explain or to clean up.
 *
 * @module
 */
import { readBuildInfo } from "../base/build_info.ts";

/** How a process was started. */
export interface SelfSource {
  /** True where paddock is one file that needs no arguments to be paddock. */
  readonly oneFile: boolean;
  /** The executable, absolute. */
  readonly executable: string;
  /** The main module's path, absolute; unused for one file. */
  readonly script: string;
  /** The whole command line (`/proc/self/cmdline`); unused for one file. */
  readonly commandLine: readonly string[];
  /** How many words at its end are the user's. */
  readonly userWords: number;
}

/**
 * The words that start this paddock again, to which a verb and its arguments are added: the file itself, or Deno with
 * the flags and the script that it was started with. The first is absolute, and every file that Deno was started with
 * is too, if it was named so: the directory may be another by then.
 */
export function selfCommand(source: SelfSource = readSource()): readonly string[] {
  if (source.oneFile) return [source.executable];
  const words = source.commandLine.slice(1, source.commandLine.length - source.userWords);
  return [source.executable, ...words.slice(0, -1), source.script];
}

function readSource(): SelfSource {
  const oneFile = readBuildInfo().kind !== "source";
  const executable = Deno.execPath();
  if (oneFile) return { oneFile, executable, script: "", commandLine: [], userWords: 0 };
  const commandLine = Deno.readTextFileSync("/proc/self/cmdline").split("\0").slice(0, -1);
  const script = decodeURIComponent(new URL(Deno.mainModule).pathname);
  return { oneFile, executable, script, commandLine, userWords: Deno.args.length };
}
