/**
 * Resource limits by number (`man 2 getrlimit`, `asm-generic/resource.h`). The same on x86_64 and aarch64.
 *
 * @module
 */

/** Names as `--ulimit` takes them; the place in the list is the kernel's number. */
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
