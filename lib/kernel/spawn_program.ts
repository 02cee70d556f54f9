/**
 * Starting a small program beside this process, as its child.
 *
 * @module
 */
import { openProgram } from "./launch.ts";
import { syscall } from "./syscall.ts";

/** A child of this process, and of whatever this process becomes. Disposing ends it. */
export interface SpawnedProgram extends Disposable {
  readonly pid: number;
}

const SIGKILL = 9;

/**
 * Starts a program that needs no words, no environment and no input.
 *
 * @param fallbackDirectory as of `LaunchOptions`
 * @throws Error where it cannot be executed
 */
export function spawnProgram(program: Uint8Array, fallbackDirectory: string): SpawnedProgram {
  const start = (fd: number): number => {
    try {
      const quiet = { stdin: "null", stdout: "null", stderr: "null", clearEnv: true } as const;
      return new Deno.Command(`/proc/${Deno.pid}/fd/${fd}`, quiet).spawn().pid;
    } finally {
      syscall("close", fd);
    }
  };
  const pid = startEither(program, fallbackDirectory, start);
  return { pid, [Symbol.dispose]: () => void syscall("kill", pid, SIGKILL) };
}

/** From a file in memory, or, where those may not be executed, from one in a directory. */
function startEither(program: Uint8Array, fallbackDirectory: string, start: (fd: number) => number): number {
  try {
    return start(openProgram(program, fallbackDirectory));
  } catch (error) {
    if (!(error instanceof Deno.errors.PermissionDenied)) throw error;
    return start(openProgram(program, fallbackDirectory, "in the directory"));
  }
}
