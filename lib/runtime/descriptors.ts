/**
 * Which descriptors of the caller's a command gets, and what it is told of them.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { demandInherited } from "../kernel/inherited.ts";
import { FIRST_FD, MOST_PRESERVED } from "../plan/descriptors.ts";

/** What the caller hands on. */
export interface Given {
  /** `--preserve-fds`. */
  readonly preserved: number;
  /** The caller's environment, for `LISTEN_FDS`, `LISTEN_PID` and `LISTEN_FDNAMES` (`man 3 sd_listen_fds`). */
  readonly env: (name: string) => string | undefined;
}

/** Descriptors from 3 on, those of socket activation first, and the variables that tell of them. */
export interface Handed {
  readonly count: number;
  readonly env: readonly string[];
}

/**
 * @throws PaddockError where one is not there, UsageError where there are too many.
 */
export function takeDescriptors({ preserved, env }: Given): Handed {
  // For another process where it is not this one's id: whoever set them is further up.
  const activated = env("LISTEN_PID") === String(Deno.pid) ? Number(env("LISTEN_FDS")) : 0;
  const sockets = Number.isInteger(activated) && activated > 0 ? activated : 0;
  const count = sockets + preserved;
  if (count > MOST_PRESERVED) {
    throw new UsageError(`cannot hand on ${count} descriptors`, { hint: `${MOST_PRESERVED} at most` });
  }
  demandInherited(FIRST_FD, count);
  const names = env("LISTEN_FDNAMES");
  const told = [`LISTEN_FDS=${sockets}`, "LISTEN_PID=1", ...(names === undefined ? [] : [`LISTEN_FDNAMES=${names}`])];
  return { count, env: sockets === 0 ? [] : told };
}

/** The environment with these variables in place of others of their names. */
export function withVariables(env: readonly string[], more: readonly string[]): string[] {
  const names = more.map((variable) => variable.slice(0, variable.indexOf("=") + 1));
  return [...env.filter((variable) => !names.some((name) => variable.startsWith(name))), ...more];
}
