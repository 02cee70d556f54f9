/**
 * Two commands measured against each other in turn (A B, B A, A B, …), so that whatever else the machine does meets both.
 *
 * @module
 */
import type { Sample, Stopwatch } from "./stopwatch.ts";

/** A middle value, and the quarter of the values on each side of it. */
export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** What two commands took, and the ratio of each pair of runs. */
export interface Comparison {
  readonly runs: number;
  readonly a: Readonly<Record<keyof Sample, Spread>>;
  readonly b: Readonly<Record<keyof Sample, Spread>>;
  readonly ratio: Readonly<Record<keyof Sample, Spread>>;
  /** Milliseconds that A took longer than B. */
  readonly longer: Spread;
}

/** Measures both `runs` times, after one run of each that is not counted. */
export async function compare(a: Stopwatch, b: Stopwatch, runs: number): Promise<Comparison> {
  await a.measure();
  await b.measure();
  const pairs: { readonly a: Sample; readonly b: Sample }[] = [];
  for (let run = 0; run < runs; run++) {
    if (run % 2 === 0) pairs.push({ a: await a.measure(), b: await b.measure() });
    else pairs.push(swap({ a: await b.measure(), b: await a.measure() }));
  }
  return summarize(pairs);
}

/** The summary of pairs of samples. */
export function summarize(pairs: readonly { readonly a: Sample; readonly b: Sample }[]): Comparison {
  const each = (of: (pair: typeof pairs[number], key: keyof Sample) => number): Comparison["a"] => ({
    wall: spreadOf(pairs.map((pair) => of(pair, "wall"))),
    cpu: spreadOf(pairs.map((pair) => of(pair, "cpu"))),
    peak: spreadOf(pairs.map((pair) => of(pair, "peak"))),
  });
  return {
    runs: pairs.length,
    a: each((pair, key) => pair.a[key]),
    b: each((pair, key) => pair.b[key]),
    ratio: each((pair, key) => pair.a[key] / pair.b[key]),
    longer: spreadOf(pairs.map((pair) => pair.a.wall - pair.b.wall)),
  };
}

/** Median and quartiles, by linear interpolation. @throws RangeError where there are no values. */
export function spreadOf(values: readonly number[]): Spread {
  if (values.length === 0) throw new RangeError("no values");
  const sorted = values.toSorted((one, other) => one - other);
  const at = (part: number): number => {
    const place = part * (sorted.length - 1);
    const below = sorted[Math.floor(place)]!;
    return below + (sorted[Math.ceil(place)]! - below) * (place - Math.floor(place));
  };
  return { median: at(0.5), low: at(0.25), high: at(0.75) };
}

function swap<T>({ a, b }: { readonly a: T; readonly b: T }): { readonly a: T; readonly b: T } {
  return { a: b, b: a };
}
