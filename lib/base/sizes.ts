/**
 * Quantities as people write them: bytes, durations, processors, sets of numbers.
 *
 * @module
 */
import { PaddockError } from "./errors.ts";

/** The letters after a number of bytes, as docker reads them: powers of 1024, in either case. */
const UNITS = ["", "k", "m", "g", "t", "p"] as const;

const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgtp]?)(i?b)?$/i;

/**
 * Bytes from `512`, `100m`, `1.5g`, `64KiB`, `10mb`; units are powers of 1024 as in docker.
 *
 * @throws {PaddockError} where the text is no size, is negative, or is beyond what can be counted exactly
 */
export function parseSize(text: string): number {
  const match = SIZE.exec(text.trim());
  if (match === null) {
    throw new PaddockError(`'${text}' is no size`, { hint: "say a number with b, k, m, g or t, as in 100m" });
  }
  const unit = (match[2] ?? "").toLowerCase();
  if (unit === "" && /^i/i.test(match[3] ?? "")) throw new PaddockError(`'${text}' is no size`);
  const bytes = Math.floor(Number(match[1]) * 1024 ** UNITS.indexOf(unit as typeof UNITS[number]));
  if (!Number.isSafeInteger(bytes)) throw new PaddockError(`'${text}' is more than can be counted`);
  return bytes;
}

/** As `parseSize`; `-1` is no limit, and gives -1. */
export function parseSizeOrUnlimited(text: string): number {
  return text.trim() === "-1" ? -1 : parseSize(text);
}

/** Bytes for a person: `0 B`, `512 B`, `1.5 KiB`, `100 MiB`; at most three significant digits, exact powers without a point. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = Number.isInteger(value) || value >= 100 ? value.toFixed(0) : value.toFixed(value >= 10 ? 1 : 2);
  const short = digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits;
  return `${short} ${unit === 0 ? "B" : `${(UNITS[unit] ?? "").toUpperCase()}iB`}`;
}

/** Bytes in the shortest exact form that `parseSize` reads back: `100m`, `1536k`, `1000`. */
export function formatSizeExact(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value !== 0 && value % 1024 === 0 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value}${UNITS[unit] ?? ""}`;
}

/** Seconds in each unit of a duration. */
const SECONDS: Readonly<Record<string, number>> = { d: 86400, h: 3600, m: 60, s: 1, ms: 0.001 };

/**
 * Seconds from `90`, `1.5s`, `2h45m`, `-1d`; a number alone is seconds.
 *
 * @throws {PaddockError} where the text is no duration
 */
export function parseDuration(text: string): number {
  const sign = text.startsWith("-") ? -1 : 1;
  const body = text.replace(/^[+-]/, "");
  if (/^\d+(\.\d+)?$/.test(body)) return sign * Number(body) + 0;
  if (!/^(\d+(\.\d+)?(ms|[dhms]))+$/.test(body)) {
    throw new PaddockError(`'${text}' is no duration`, {
      hint: "say seconds, or a number with d, h, m or s, as in 2h45m",
    });
  }
  let seconds = 0;
  for (const [, number, unit] of body.matchAll(/(\d+(?:\.\d+)?)(ms|[dhms])/g)) {
    seconds += Number(number) * (SECONDS[unit ?? "s"] ?? 1);
  }
  return sign * seconds + 0;
}

/** The period that `--cpus` counts in, microseconds: the kernel's own default. */
export const CPU_PERIOD = 100_000;

/**
 * Quota and period, microseconds, from a number of processors such as `1.5` or `0.25`.
 *
 * The kernel takes quotas of 1 ms and more, so 0.01 is the least.
 *
 * @throws {PaddockError} where the text is no number of processors
 */
export function parseCpus(text: string): { readonly quota: number; readonly period: number } {
  const cpus = /^\d*\.?\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isNaN(cpus)) {
    throw new PaddockError(`'${text}' is no number of processors`, { hint: "say one such as 0.5 or 2" });
  }
  const quota = Math.round(cpus * CPU_PERIOD);
  if (quota < 1000) throw new PaddockError(`'${text}' is too little of a processor`, { hint: "0.01 is the least" });
  if (quota > CPU_PERIOD * 65536) throw new PaddockError(`'${text}' is more processors than Linux knows`);
  return { quota, period: CPU_PERIOD };
}

/** The highest processor or memory node number that a kernel may be built with (`NR_CPUS`, rounded up). */
const LAST_CPU = 65535;

/**
 * The numbers in a list as cpusets take it (`man 7 cpuset`, List format): `0-3,7`, ascending, each once.
 *
 * @throws {PaddockError} where the text is no such list
 */
export function parseNumberList(text: string): number[] {
  const numbers = new Set<number>();
  for (const part of text.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part.trim());
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (match === null) throw new PaddockError(`'${text}' is no list of numbers`, { hint: "say one such as 0-3,7" });
    if (last < first) throw new PaddockError(`'${text}' has a range that runs backwards`);
    if (last > LAST_CPU) throw new PaddockError(`'${text}' has a number beyond ${LAST_CPU}`);
    for (let number = first; number <= last; number++) numbers.add(number);
  }
  return [...numbers].sort((a, b) => a - b);
}
