/**
 * The limit on open files that paddock was started with.
 *
 * `deno run` raises its own soft limit to the hard one before any of our code runs, and does not tell what it was; a
 * compiled binary does not. A container must get the original: programs that walk every possible descriptor (old
 * daemons, `rpm`) crawl under a limit of a million, and those that use `select(2)` break beyond 1024.
 *
 * The kernel keeps no history, but the process that started us still has what we inherited, unless it is itself one
 * of the runtimes that raise their limit (`deno task`, npm's `npx`): then its parent is asked.
 *
 * @module
 */
import { syscall } from "../kernel/syscall.ts";

/** A soft and a hard limit; -1 for none. */
export interface Limit {
  readonly soft: number;
  readonly hard: number;
}

/** How the guess asks the system; replaced in tests. */
export interface LimitSource {
  /** True for a compiled binary, which leaves its limit as it was. */
  readonly standalone: boolean;
  readonly parent: number;
  /** The limit of a process, 0 for this one; `undefined` where it cannot be asked. */
  limitOf(pid: number): Limit | undefined;
  /** Name and parent of a process; `undefined` where it cannot be seen. */
  processOf(pid: number): { readonly name: string; readonly parent: number } | undefined;
}

/** The limit on open files that paddock was started with, as well as it can be known. */
export function readOriginalNofile(source: LimitSource = SYSTEM): Limit {
  const told = parseTold(Deno.env.get(TOLD));
  if (told !== undefined && source === SYSTEM) return told;
  const own = source.limitOf(0) ?? { soft: KERNEL_DEFAULT, hard: KERNEL_DEFAULT };
  // Below the hard limit it cannot have been raised to it.
  if (source.standalone || own.soft !== own.hard) return own;
  const soft = findAncestorSoft(source) ?? KERNEL_DEFAULT;
  return { soft: soft === -1 || (own.hard !== -1 && soft > own.hard) ? own.hard : soft, hard: own.hard };
}

/** Set by the first instructions of a packed paddock, which run before Deno's: soft and hard limit in hexadecimal. */
const TOLD = "PADDOCK_NOFILE";

function parseTold(value: string | undefined): Limit | undefined {
  const match = /^([0-9a-f]{1,16}):([0-9a-f]{1,16})$/.exec(value ?? "");
  if (match === null) return undefined;
  // All ones is no limit.
  const [soft, hard] = [match[1]!, match[2]!].map((hex) => hex === "f".repeat(16) ? -1 : parseInt(hex, 16));
  return { soft: soft!, hard: hard! };
}

/** What init starts with (INR_OPEN_CUR), and so what nearly everything has where nobody changed it. */
const KERNEL_DEFAULT = 1024;

/** Programs that raise their own soft limit to the hard one. */
const RAISERS = /^(deno|node|npm|MainThread)/;

function findAncestorSoft(source: LimitSource): number | undefined {
  let pid = source.parent;
  for (let depth = 0; depth < 6; depth++) {
    // 0 is a parent outside of this pid namespace; to prlimit it would mean ourselves.
    const limit = pid > 0 ? source.limitOf(pid) : undefined;
    if (limit === undefined) return undefined;
    if (limit.soft !== limit.hard) return limit.soft;
    const process = source.processOf(pid);
    if (process === undefined || !RAISERS.test(process.name)) return limit.soft;
    pid = process.parent;
  }
  return undefined;
}

const RLIMIT_NOFILE = 7;

const SYSTEM: LimitSource = {
  get standalone(): boolean {
    return Deno.build.standalone;
  },
  get parent(): number {
    return Deno.ppid;
  },
  limitOf(pid): Limit | undefined {
    const buffer = new Uint8Array(16);
    if (syscall("prlimit64", pid, RLIMIT_NOFILE, null, buffer) < 0) return undefined;
    const view = new DataView(buffer.buffer);
    // RLIM_INFINITY is all ones.
    return { soft: Number(view.getBigInt64(0, true)), hard: Number(view.getBigInt64(8, true)) };
  },
  processOf(pid): ReturnType<typeof parseStat> {
    try {
      return parseStat(Deno.readTextFileSync(`/proc/${pid}/stat`));
    } catch {
      return undefined;
    }
  },
};

/** Name and parent from `/proc/PID/stat`; the name stands in parentheses and may hold any of its own. */
export function parseStat(text: string): { name: string; parent: number } | undefined {
  const match = /^\d+ \((.*)\) \S (\d+)/s.exec(text);
  return match === null ? undefined : { name: match[1]!, parent: Number(match[2]) };
}
