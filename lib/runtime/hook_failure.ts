/**
 * Why a hook failed, in runc's words, which people search their logs for.
 *
 * @module
 */
import { describeErrno } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import { nameSignal } from "../base/signals.ts";
import type { Hooks } from "../spec/config.ts";

/** How a hook ended that did not end well. */
export interface HookEnd {
  readonly name: keyof Hooks | string;
  readonly index: number;
  readonly path: string;
  /** Positive error number where it could not be executed, else 0. */
  readonly errno: number;
  /** As `wait4(2)` gives it. */
  readonly status: number;
  /** It took longer than it may. */
  readonly late: boolean;
  /** Somebody wanted paddock to end meanwhile. */
  readonly interrupted?: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** The error for a hook that failed. */
export function hookError(end: HookEnd): PaddockError {
  const { name, index, stdout, stderr } = end;
  const said = `, stdout: ${inOneLine(stdout)}, stderr: ${inOneLine(stderr)}`;
  return new PaddockError(`error running ${name} hook #${index}: ${reasonOf(end)}${end.errno === 0 ? said : ""}`, {
    hint: `it is hooks.${name}[${index}] of config.json, ${end.path}`,
  });
}

function inOneLine(text: string): string {
  return text.trimEnd().replaceAll("\n", "\\n");
}

function reasonOf({ path, errno, status, late, interrupted }: HookEnd): string {
  if (errno !== 0) return `cannot execute ${path}: ${describeErrno(errno)}`;
  if (late) return "hook ran past its timeout";
  if (interrupted) return "interrupted";
  const signal = status & 0x7f;
  return signal === 0 ? `exit status ${(status >> 8) & 0xff}` : `signal: SIG${nameSignal(signal)}`;
}
