/**
 * Resource limits as the specification names them (config.md, POSIX process).
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { RLIMITS } from "../base/rlimits.ts";

/** The kernel's number of a limit given as `RLIMIT_NOFILE`; undefined where there is none such. */
export function findRlimit(type: string): number | undefined {
  const number = RLIMITS.findIndex((name) => type === `RLIMIT_${name.toUpperCase()}`);
  return number < 0 ? undefined : number;
}

/**
 * The kernel's number of a limit given as `RLIMIT_NOFILE`.
 *
 * @throws {PaddockError} where there is none such
 */
export function numberOfRlimit(type: string): number {
  const number = findRlimit(type);
  if (number === undefined) throw new PaddockError(`'${type}' is no resource limit`, { hint: "see: man 2 getrlimit" });
  return number;
}
