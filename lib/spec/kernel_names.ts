/**
 * Names of the specification with the kernel's numbers behind them: validation knows by these tables what there is,
 * plans take the numbers from them, and `features` lists them.
 *
 * @module
 */

/** A name, and its number in a system call. */
export type Numbers = Readonly<Record<string, number>>;

/** `process.scheduler.policy` (`linux/sched.h`). */
export const SCHEDULER_POLICIES: Numbers = {
  SCHED_OTHER: 0,
  SCHED_FIFO: 1,
  SCHED_RR: 2,
  SCHED_BATCH: 3,
  SCHED_ISO: 4,
  SCHED_IDLE: 5,
  SCHED_DEADLINE: 6,
};

/** `process.scheduler.flags` (`man 2 sched_setattr`). */
export const SCHEDULER_FLAGS: Numbers = {
  SCHED_FLAG_RESET_ON_FORK: 0x1,
  SCHED_FLAG_RECLAIM: 0x2,
  SCHED_FLAG_DL_OVERRUN: 0x4,
  SCHED_FLAG_KEEP_POLICY: 0x8,
  SCHED_FLAG_KEEP_PARAMS: 0x10,
  SCHED_FLAG_UTIL_CLAMP_MIN: 0x20,
  SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};

/** `process.ioPriority.class` (`linux/ioprio.h`). */
export const IO_CLASSES: Numbers = { IOPRIO_CLASS_RT: 1, IOPRIO_CLASS_BE: 2, IOPRIO_CLASS_IDLE: 3 };

/** `linux.memoryPolicy.mode` (`linux/mempolicy.h`). */
export const MEMORY_MODES: Numbers = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5,
  MPOL_WEIGHTED_INTERLEAVE: 6,
};

/** `linux.memoryPolicy.flags`: they go into the same word as the mode. */
export const MEMORY_FLAGS: Numbers = {
  MPOL_F_NUMA_BALANCING: 0x2000,
  MPOL_F_RELATIVE_NODES: 0x4000,
  MPOL_F_STATIC_NODES: 0x8000,
};

/** `linux.personality.domain` (`linux/personality.h`). */
export const PERSONALITIES: Numbers = { LINUX: 0, LINUX32: 8 };

/** The bitwise or of the numbers of these names; those that are not in the table count for nothing. */
export function combineNumbers(table: Numbers, names: readonly string[] = []): number {
  return names.reduce((word, name) => word | (table[name] ?? 0), 0);
}
