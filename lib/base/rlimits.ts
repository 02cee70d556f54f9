/**
 * Resource limits by number (`man 2 getrlimit`, `asm-generic/resource.h`). The same on x86_64 and aarch64.
 *
 * @module
 */

/** Names as `--ulimit` takes them; the place in the list is the kernel's number. With `RLIMIT_` and in upper case: the specification's. */
export const RLIMITS = [
  "cpu",
  "fsize",
  "data",
  "stack",
  "core",
  "rss",
  "nproc",
  "nofile",
  "memlock",
  "as",
  "locks",
  "sigpending",
  "msgqueue",
  "nice",
  "rtprio",
  "rttime",
] as const;

/** The kernel's number of a limit given as `RLIMIT_NOFILE`; undefined where there is none such. */
export function findRlimit(type: string): number | undefined {
  const number = RLIMITS.findIndex((name) => type === `RLIMIT_${name.toUpperCase()}`);
  return number < 0 ? undefined : number;
}
