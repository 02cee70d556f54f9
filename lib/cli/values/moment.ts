/**
 * Moments, as docker takes them for `--since` and `--until`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { parseDuration } from "../../base/sizes.ts";

/**
 * Nanoseconds since the epoch: from seconds of then (`1764000000.5`), a time (`2026-11-24T14:00:00Z`, here where no zone
 * is said; a date alone is its midnight), or how long ago (`10m`).
 *
 * @param now milliseconds since the epoch.
 * @throws UsageError
 */
export function readMoment(text: string, now: number): bigint {
  const seconds = /^(\d+)(?:\.(\d{1,9}))?$/.exec(text);
  if (seconds !== null) {
    return BigInt(seconds[1]!) * NANO + BigInt((seconds[2] ?? "").padEnd(9, "0"));
  }
  if (/^\d{4}-\d\d-\d\d/.test(text)) return readTime(text);
  try {
    return BigInt(Math.round(now - parseDuration(text) * 1000)) * 1_000_000n;
  } catch {
    throw new UsageError(`'${text}' is no moment`, {
      hint: "say a time such as 2026-11-24T14:00:00Z, seconds since 1970, or how long ago: 10m",
    });
  }
}

const NANO = 1_000_000_000n;

function readTime(text: string): bigint {
  const [, until = text, fraction = "", zone = ""] = /^([^.Z+]*?)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/.exec(text) ?? [];
  const whole = /T/.test(until) ? until.replace(/T(\d\d)$/, "T$1:00") : `${until}T00:00`;
  const milliseconds = Date.parse(`${whole}${zone}`);
  if (Number.isNaN(milliseconds)) throw new UsageError(`'${text}' is no time`, { hint: "as in 2026-11-24T14:00:00Z" });
  return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}
