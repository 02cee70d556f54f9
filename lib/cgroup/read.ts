/**
 * What cgroups tell of a container: how it died, what it uses. Over text; the reading itself is the caller's.
 *
 * @module
 */

/** The text of a file, or `undefined` where it cannot be read. */
export type ReadText = (path: string) => string | undefined;

/** What its cgroups know of a container's end. */
export interface Death {
  /** Processes of it that the OOM killer took, in sub-cgroups too. */
  readonly oomKills: number;
  /** Bytes of memory at its greatest; absent where this kernel keeps no such number (v2 before 5.19). */
  readonly peakMemory: number | undefined;
  /** Bytes; absent where there was no limit. */
  readonly limit: number | undefined;
}

/** What a container uses now. */
export interface Usage {
  /** Bytes. */
  readonly memory: number | undefined;
  /** Microseconds of processor time since its start. */
  readonly cpu: number | undefined;
  /** Processes and threads. */
  readonly pids: number | undefined;
}

/** Asks each of a container's directories; the first that knows has the word. */
export function readDeath(paths: readonly string[], readText: ReadText): Death {
  const kills = paths.map((path) =>
    parseKeyed(readText(`${path}/memory.events`) ?? readText(`${path}/memory.oom_control`) ?? "")["oom_kill"] ?? 0
  );
  return {
    oomKills: Math.max(0, ...kills),
    peakMemory: readFirst(paths, ["memory.peak", "memory.max_usage_in_bytes"], readText),
    limit: readFirst(paths, ["memory.max", "memory.limit_in_bytes"], readText),
  };
}

/** Asks each of a container's directories for what it uses. */
export function readUsage(paths: readonly string[], readText: ReadText): Usage {
  const microseconds = paths.map((path) => parseKeyed(readText(`${path}/cpu.stat`) ?? "")["usage_usec"]);
  const nanoseconds = readFirst(paths, ["cpuacct.usage"], readText);
  return {
    memory: readFirst(paths, ["memory.current", "memory.usage_in_bytes"], readText),
    cpu: microseconds.find((value) => value !== undefined) ??
      (nanoseconds === undefined ? undefined : Math.floor(nanoseconds / 1000)),
    pids: readFirst(paths, ["pids.current"], readText),
  };
}

/** Lines of a name and a number: `memory.events`, `memory.stat`, `cpu.stat`, `memory.oom_control`. Others are left out. */
export function parseKeyed(text: string): Readonly<Record<string, number>> {
  return Object.fromEntries(
    text.split("\n").flatMap((line) => {
      const match = /^(\S+) (\d+)$/.exec(line);
      return match === null ? [] : [[match[1]!, Number(match[2])]];
    }),
  );
}

/** A file of one number. "max" is none, and so is what v1 shows for no limit: the greatest number of whole pages. */
export function parseAmount(text: string): number | undefined {
  const value = /^\d+\s*$/.test(text) ? Number(text) : NaN;
  return Number.isNaN(value) || value >= NO_LIMIT ? undefined : value;
}

/** 2^63 rounded down to pages of up to 64 KiB; beyond any machine. */
const NO_LIMIT = 2 ** 62;

function readFirst(paths: readonly string[], names: readonly string[], readText: ReadText): number | undefined {
  for (const path of paths) {
    for (const name of names) {
      const text = readText(`${path}/${name}`);
      if (text !== undefined) return parseAmount(text);
    }
  }
  return undefined;
}
