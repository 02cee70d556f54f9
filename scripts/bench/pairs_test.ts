import { assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import { spreadOf, summarize } from "./pairs.ts";

Deno.test("spreadOf gives the median and the quartiles, whatever the order", () => {
  assertEquals(spreadOf([5, 1, 4, 2, 3]), { median: 3, low: 2, high: 4 });
  assertEquals(spreadOf([4, 1]), { median: 2.5, low: 1.75, high: 3.25 });
  assertEquals(spreadOf([7]), { median: 7, low: 7, high: 7 });
});

Deno.test("spreadOf refuses to make a median of nothing", () => {
  assertThrows(() => spreadOf([]), RangeError, "no values");
});

Deno.test("summarize takes the ratio of each pair, so that a machine that is slow for a while does not count", () => {
  const sample = (wall: number) => ({ wall, cpu: wall / 2, peak: 10 });
  const { ratio, a, longer, runs } = summarize([
    { a: sample(1), b: sample(10) },
    { a: sample(100), b: sample(1000) },
    { a: sample(2), b: sample(20) },
  ]);
  assertAlmostEquals(ratio.wall.median, 0.1);
  assertAlmostEquals(ratio.wall.high, 0.1);
  assertEquals(ratio.peak.median, 1);
  assertEquals(a.cpu.median, 1);
  assertEquals(longer.median, -18);
  assertEquals(runs, 3);
});
