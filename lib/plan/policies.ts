/**
 * What the kernel's schedulers and allocators are told of the process (runtime-spec config.md, Process, and
 * config-linux.md, Memory policy and Personality).
 *
 * They come while the host's privileges are there, for real-time classes take some, and after the cgroup was entered:
 * processors and nodes of memory are counted within its own.
 *
 * @module
 */
import { parseNumberList } from "../base/sizes.ts";
import { type Act, type Arg, type Constant, type Field, step } from "../program/step.ts";
import type { Config, IoPriority, MemoryPolicy, Process, Scheduler } from "../spec/config.ts";
import {
  combineNumbers,
  IO_CLASSES,
  MEMORY_FLAGS,
  MEMORY_MODES,
  PERSONALITIES,
  SCHEDULER_FLAGS,
  SCHEDULER_POLICIES,
} from "../spec/kernel_names.ts";

/** The acts for `process.scheduler`, `process.ioPriority`, `linux.memoryPolicy` and `linux.personality`. */
export function planPolicies(
  { process: { scheduler, ioPriority }, linux: { memoryPolicy, personality } }: Config,
): Act[] {
  return [
    ...(scheduler === undefined ? [] : [setScheduler(scheduler)]),
    ...(ioPriority === undefined ? [] : [setIoPriority(ioPriority)]),
    ...(memoryPolicy === undefined ? [] : [setMemoryPolicy(memoryPolicy)]),
    ...(personality === undefined ? [] : [setPersonality(personality.domain)]),
  ];
}

/**
 * The acts for `process.execCPUAffinity`: one for before a process that is executed in a running container enters its
 * cgroup, one for after. The first process of a container has no use for them.
 */
export function planAffinity(process: Process, when: "initial" | "final"): Act[] {
  const list = process.execCPUAffinity?.[when];
  if (list === undefined) return [];
  const mask = numberSet(parseNumberList(list));
  return [{
    what: `run on processors ${list} (process.execCPUAffinity.${when})`,
    why: when === "initial"
      ? "asked for: until the cgroup is entered nothing else keeps it from processors that others have for themselves"
      : "asked for: the command runs on these, of those that its cgroup has",
    shell: [`taskset -pc ${list} $$`],
    steps: [step("sched_setaffinity", [0, mask.bytes, mask.block])],
  }];
}

/** `struct sched_attr` in its second version (`man 2 sched_setattr`); what is zero at its end older kernels take too. */
function setScheduler(scheduler: Scheduler): Act {
  const { policy, nice = 0, priority = 0, flags, runtime = 0, deadline = 0, period = 0 } = scheduler;
  const size = 56;
  const fields: Field[] = [
    { at: 0, size: 4, value: size },
    { at: 4, size: 4, value: SCHEDULER_POLICIES[policy] ?? 0 },
    { at: 8, size: 8, value: combineNumbers(SCHEDULER_FLAGS, flags) },
    { at: 16, size: 4, value: nice },
    { at: 20, size: 4, value: priority },
    { at: 24, size: 8, value: runtime },
    { at: 32, size: 8, value: deadline },
    { at: 40, size: 8, value: period },
  ];
  const word = policy.replace("SCHED_", "").toLowerCase();
  return {
    what: `schedule it by ${policy} (process.scheduler)`,
    why: "asked for: by which rule it gets its turns on the processors",
    shell: [`chrt --${word} --pid ${priority} $$`, ...(nice === 0 ? [] : [`renice -n ${nice} -p $$`])],
    steps: [step("sched_setattr", [0, { block: { size, fields } }, 0])],
  };
}

function setIoPriority({ class: name, priority = 0 }: IoPriority): Act {
  const IOPRIO_WHO_PROCESS = 1;
  const number = IO_CLASSES[name] ?? 0;
  return {
    what: `set its priority of input and output to ${name} ${priority} (process.ioPriority)`,
    why: "asked for: whose reads and writes a busy disk does first",
    shell: [`ionice --class ${number} --classdata ${priority} --pid $$`],
    // The class stands above the 13 bits of the priority.
    steps: [step("ioprio_set", [IOPRIO_WHO_PROCESS, 0, (number << 13) | priority])],
  };
}

function setMemoryPolicy({ mode, nodes = "", flags }: MemoryPolicy): Act {
  const word = (MEMORY_MODES[mode] ?? 0) | combineNumbers(MEMORY_FLAGS, flags);
  const mask = nodes === "" ? undefined : numberSet(parseNumberList(nodes));
  return {
    what: `take memory by ${mode}${nodes === "" ? "" : ` of nodes ${nodes}`} (linux.memoryPolicy)`,
    why: "asked for: memory of a near node is faster than memory of a far one",
    shell: [],
    // The kernel counts one bit less than it is told.
    steps: [step("set_mempolicy", [word, mask?.block ?? 0, mask === undefined ? 0 : 8 * mask.bytes + 1])],
  };
}

function setPersonality(domain: string): Act {
  return {
    what: `be on a ${domain} machine (linux.personality)`,
    why: "asked for: uname tells programs of 32 bits the machine that they know",
    shell: [domain === "LINUX32" ? "setarch linux32" : "setarch linux64"],
    steps: [step("personality", [PERSONALITIES[domain] ?? 0])],
  };
}

/** Bit n for number n, in words of 64 bits. */
function numberSet(numbers: readonly number[]): { readonly bytes: number; readonly block: Arg & Constant } {
  const bytes = 8 * (Math.floor(Math.max(...numbers) / 64) + 1);
  const set = new Uint8Array(bytes);
  for (const number of numbers) set[number >> 3]! |= 1 << (number & 7);
  return { bytes, block: { block: { size: bytes, fields: [{ at: 0, bytes: set }] } } };
}
