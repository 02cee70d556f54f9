/**
 * What the files of cgroup v2 say of use, in v1's words (the kernel's Documentation/admin-guide/cgroup-v2.rst).
 *
 * @module
 */
import type { ReadText } from "./read.ts";
import { readCount, readCounts, type StatsObject, withoutZeros } from "./stats_text.ts";

/** Microseconds there are nanoseconds here. */
const MICROSECOND = 1000n;

/** "max" as runc writes it. */
const NO_LIMIT = 2n ** 64n - 1n;

/** Processor time, nanoseconds. */
export function readCpuV2(directory: string, readText: ReadText): StatsObject {
  const stat = readCounts(readText(`${directory}/cpu.stat`));
  const nanoseconds = (key: string): bigint => (stat[key] ?? 0n) * MICROSECOND;
  return {
    usage: {
      ...withoutZeros({ total: nanoseconds("usage_usec") }),
      kernel: nanoseconds("system_usec"),
      user: nanoseconds("user_usec"),
    },
    throttling: withoutZeros({
      periods: stat["nr_periods"] ?? 0n,
      throttledPeriods: stat["nr_throttled"] ?? 0n,
      throttledTime: nanoseconds("throttled_usec"),
    }),
    ...readPressure(readText(`${directory}/cpu.pressure`)),
  };
}

/** Memory, bytes; v2 counts swap alone, and here it is memory and swap together, as in v1. */
export function readMemoryV2(directory: string, readText: ReadText): StatsObject {
  const raw = readCounts(readText(`${directory}/memory.stat`));
  const count = (name: string) => readCount(readText(`${directory}/memory.${name}`));
  const limit = (name: string) => readLimit(readText(`${directory}/memory.${name}`));
  const [usage, max] = [count("current"), limit("max")];
  const [swap, swapMax] = [count("swap.current"), limit("swap.max")];
  const both = max === NO_LIMIT || swapMax === NO_LIMIT ? NO_LIMIT : max + swapMax;
  const counts = (text: string) => readCounts(readText(`${directory}/${text}`))["max"] ?? 0n;
  return {
    ...withoutZeros({ cache: raw["file"] ?? 0n }),
    usage: { limit: max, ...withoutZeros({ usage, max: count("peak") }), failcnt: counts("memory.events") },
    swap: { limit: both, ...withoutZeros({ usage: usage + swap }), failcnt: counts("memory.swap.events") },
    kernel: { limit: 0n, failcnt: 0n },
    kernelTCP: { limit: 0n, failcnt: 0n },
    ...(Object.keys(raw).length === 0 ? {} : { raw }),
    ...readPressure(readText(`${directory}/memory.pressure`)),
  };
}

function readLimit(text: string | undefined): bigint {
  return text?.trim() === "max" ? NO_LIMIT : readCount(text);
}

/** Keys of `io.stat`, which list they belong to and which kind they are; discards have no place in v1's words. */
const IO_KEYS: Readonly<Record<string, readonly [list: string, op: string]>> = {
  rbytes: ["ioServiceBytesRecursive", "Read"],
  wbytes: ["ioServiceBytesRecursive", "Write"],
  rios: ["ioServicedRecursive", "Read"],
  wios: ["ioServicedRecursive", "Write"],
};

/** What it read and wrote on disks: lines such as `8:16 rbytes=1459200 wbytes=0 rios=192 wios=0`. */
export function readIoV2(directory: string, readText: ReadText): StatsObject {
  const lists: Record<string, StatsObject[]> = {};
  for (const line of (readText(`${directory}/io.stat`) ?? "").split("\n")) {
    const [disk = "", ...pairs] = line.split(" ");
    const [major, minor] = disk.split(":");
    if (minor === undefined) continue;
    for (const pair of pairs) {
      const [key = "", value] = pair.split("=");
      const found = IO_KEYS[key];
      if (found === undefined) continue;
      const [list, op] = found;
      (lists[list] ??= []).push(
        withoutZeros({ major: readCount(major), minor: readCount(minor), op, value: readCount(value) }),
      );
    }
  }
  return { ...lists, ...readPressure(readText(`${directory}/io.pressure`)) };
}

/** Huge pages of one size, bytes. */
export function readHugetlbV2(directory: string, size: string, readText: ReadText): StatsObject {
  const text = (name: string) => readText(`${directory}/hugetlb.${size}.${name}`);
  return {
    ...withoutZeros({ usage: readCount(text("rsvd.current") ?? text("current")) }),
    failcnt: readCounts(text("events"))["max"] ?? 0n,
  };
}

/**
 * Time lost in waiting (Documentation/accounting/psi.rst): `some avg10=0.00 avg60=0.00 avg300=0.00 total=0`. Shares are
 * percents, the total microseconds. Absent where the kernel keeps none.
 */
export function readPressure(text: string | undefined): StatsObject {
  const kinds = (text ?? "").split("\n").flatMap((line) => {
    const match = /^(some|full) avg10=([\d.]+) avg60=([\d.]+) avg300=([\d.]+) total=(\d+)$/.exec(line);
    if (match === null) return [];
    const [, kind, avg10, avg60, avg300, total] = match;
    return [
      [
        kind!,
        { avg10: Number(avg10), avg60: Number(avg60), avg300: Number(avg300), total: BigInt(total!) },
      ] as const,
    ];
  });
  return kinds.length === 0 ? {} : { psi: Object.fromEntries(kinds) };
}
