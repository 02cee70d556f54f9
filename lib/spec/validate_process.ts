/**
 * Checks of the process (runtime-spec config.md, Process).
 *
 * @module
 */
import { CAPABILITIES } from "../base/capabilities.ts";
import type { Config, Scheduler } from "./config.ts";
import { type Check, type Finding, finding, findNoList, findOutside, findUnknown } from "./finding.ts";
import { IO_CLASSES, SCHEDULER_FLAGS, SCHEDULER_POLICIES } from "./kernel_names.ts";
import { findRlimit } from "./rlimits.ts";

/** The rules for `process`. */
export const PROCESS_CHECKS: readonly Check[] = [
  checkProcess,
  checkUser,
  checkCapabilities,
  checkRlimits,
  checkScheduler,
  checkIoPriority,
  checkAffinity,
  checkLabels,
];

/** A command, and variables with names (config.md: Process). */
function checkProcess({ process }: Config): Finding[] {
  return [
    ...(process.args.length === 0 && !process.absent ? [finding("process.args", "there is no command")] : []),
    ...process.env.flatMap((entry, index) =>
      entry.indexOf("=") > 0 ? [] : [finding(`process.env[${index}]`, `'${entry}' is not of the form NAME=value`)]
    ),
    ...findOutside("process.oomScoreAdj", process.oomScoreAdj, -1000, 1000),
    ...findOutside("process.consoleSize.height", process.consoleSize?.height, 0, LONGEST_SIDE),
    ...findOutside("process.consoleSize.width", process.consoleSize?.width, 0, LONGEST_SIDE),
  ];
}

/** `struct winsize` counts in 16 bits. */
const LONGEST_SIDE = 65_535;

/** Ids below the one that means "no change" (`man 2 setresuid`). */
function checkUser({ process: { user } }: Config): Finding[] {
  const last = 2 ** 32 - 2;
  return [
    ...findOutside("process.user.uid", user.uid, 0, last),
    ...findOutside("process.user.gid", user.gid, 0, last),
    ...findOutside("process.user.umask", user.umask, 0, 0o777),
    ...(user.additionalGids ?? []).flatMap((gid, index) =>
      findOutside(`process.user.additionalGids[${index}]`, gid, 0, last)
    ),
  ];
}

/** Known capabilities (`man 7 capabilities`); ambient ones must be permitted and inheritable too, or the kernel drops them. */
function checkCapabilities({ process: { capabilities = {} } }: Config): Finding[] {
  const unknown = Object.entries(capabilities).flatMap(([set, names]: [string, readonly string[]]) =>
    names.flatMap((name, index) =>
      CAPABILITIES.some((known) => name === `CAP_${known.toUpperCase()}`)
        ? []
        : [finding(`process.capabilities.${set}[${index}]`, `'${name}' is no capability`)]
    )
  );
  const { ambient = [], permitted = [], inheritable = [] } = capabilities;
  const loose = ambient.filter((name) => !permitted.includes(name) || !inheritable.includes(name));
  return [
    ...unknown,
    ...loose.map((name) => finding("process.capabilities.ambient", `${name} is not permitted and inheritable too`)),
  ];
}

/** Known resource limits, each once, soft not above hard (config.md: POSIX process). */
function checkRlimits({ process: { rlimits = [] } }: Config): Finding[] {
  return rlimits.flatMap(({ type, soft, hard }, index) => [
    ...(findRlimit(type) === undefined
      ? [finding(`process.rlimits[${index}].type`, `'${type}' is no resource limit`)]
      : []),
    ...(rlimits.findIndex((other) => other.type === type) < index
      ? [finding(`process.rlimits[${index}].type`, `'${type}' is there twice`)]
      : []),
    ...(hard !== -1 && (soft === -1 || soft > hard)
      ? [finding(`process.rlimits[${index}].soft`, `${soft} is above the hard limit ${hard}`)]
      : []),
  ]);
}

/** A policy, and what belongs to that policy (`man 2 sched_setattr`); what does not is refused, as runc does. */
function checkScheduler({ process: { scheduler } }: Config): Finding[] {
  if (scheduler === undefined) return [];
  const { policy, nice, priority, flags } = scheduler;
  const path = "process.scheduler";
  const hasPriority = policy === "SCHED_FIFO" || policy === "SCHED_RR";
  return [
    ...(Object.hasOwn(SCHEDULER_POLICIES, policy) ? [] : [finding(`${path}.policy`, `'${policy}' is no policy`)]),
    ...findUnknown(`${path}.flags`, flags, Object.keys(SCHEDULER_FLAGS), "flag of a scheduler"),
    ...findOutside(`${path}.nice`, nice, -20, 19),
    ...(hasPriority
      ? findOutside(`${path}.priority`, priority ?? 0, 1, 99)
      : priority
      ? [finding(`${path}.priority`, `${policy} has none; SCHED_FIFO and SCHED_RR have`)]
      : []),
    ...checkDeadline(scheduler),
  ];
}

function checkDeadline({ policy, runtime = 0, deadline = 0, period = 0 }: Scheduler): Finding[] {
  const times = Object.entries({ runtime, deadline, period });
  if (policy !== "SCHED_DEADLINE") {
    return times.flatMap(([name, time]) =>
      time === 0 ? [] : [finding(`process.scheduler.${name}`, `${policy} has none; SCHED_DEADLINE has`)]
    );
  }
  // The kernel counts down from 1024 ns; an absent period is the deadline.
  return [
    ...findOutside("process.scheduler.runtime", runtime, 1024, 2 ** 53),
    ...findOutside("process.scheduler.deadline", deadline, Math.max(runtime, 1024), 2 ** 53),
    ...(period === 0 ? [] : findOutside("process.scheduler.period", period, deadline, 2 ** 53)),
  ];
}

/** A class, and a priority in it (`man 2 ioprio_set`). */
function checkIoPriority({ process: { ioPriority } }: Config): Finding[] {
  if (ioPriority === undefined) return [];
  return [
    ...(Object.hasOwn(IO_CLASSES, ioPriority.class)
      ? []
      : [finding("process.ioPriority.class", `'${ioPriority.class}' is no class`)]),
    ...findOutside("process.ioPriority.priority", ioPriority.priority, 0, 7),
  ];
}

/** Lists of processors. */
function checkAffinity({ process: { execCPUAffinity = {} } }: Config): Finding[] {
  return Object.entries(execCPUAffinity).flatMap(([when, list]) =>
    list === "" ? [finding(`process.execCPUAffinity.${when}`, "no processor at all is in it")] : findNoList(
      `process.execCPUAffinity.${when}`,
      list,
    )
  );
}

/** Names of one line: they are written into control files of the kernel's. */
function checkLabels(
  { process: { apparmorProfile = "", selinuxLabel = "" }, linux: { mountLabel = "" } }: Config,
): Finding[] {
  const labels = {
    "process.apparmorProfile": apparmorProfile,
    "process.selinuxLabel": selinuxLabel,
    "linux.mountLabel": mountLabel,
  };
  return Object.entries(labels).flatMap(([path, label]) =>
    /[\n"]/.test(label) ? [finding(path, "a line's end or a quotation mark is in it")] : []
  );
}
