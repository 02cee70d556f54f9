/**
 * What `deno test` reports, as numbers.
 *
 * @module
 */

/** How many tests of each outcome. */
export interface Sum {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

/** No test at all. */
export const ZERO: Sum = { passed: 0, failed: 0, ignored: 0 };

/** Both together. */
export function addUp(a: Sum, b: Sum): Sum {
  return { passed: a.passed + b.passed, failed: a.failed + b.failed, ignored: a.ignored + b.ignored };
}

/**
 * The sum of the lines `ok | 12 passed (2 steps) | 0 failed | 1 ignored (3s)` in an output. A run that failed without
 * a failed test (it did not load, it crashed) counts as one failure.
 */
export function sumOf(output: string, success: boolean): Sum {
  // deno-lint-ignore no-control-regex -- colours
  const lines = output.replaceAll(/\x1b\[[0-9;]*m/g, "").split("\n");
  const sum = lines.filter((line) => /^(ok|FAILED) \| \d+ passed/.test(line)).map((line): Sum => ({
    passed: count(line, "passed"),
    failed: count(line, "failed"),
    ignored: count(line, "ignored"),
  })).reduce(addUp, ZERO);
  return !success && sum.failed === 0 ? { ...sum, failed: 1 } : sum;
}

function count(line: string, word: string): number {
  return Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
}
