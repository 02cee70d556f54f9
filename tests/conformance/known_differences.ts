/**
 * Where a runtime is known not to hold to a sentence, and why. Such a test must fail: one that does not belongs here no
 * more.
 *
 * @module
 */
import type { Runtime } from "./runtimes.ts";

/** A runtime and a sentence. */
export interface Difference {
  readonly runtime: Runtime["name"];
  /** The version that was seen to differ; tests of other versions are ignored. Not given for paddock. */
  readonly version?: string;
  readonly rule: string;
  readonly reason: string;
  /** True where it holds to it now and then; the test is ignored. */
  readonly sometimes?: true;
}

/** All of them. */
export const DIFFERENCES: readonly Difference[] = [
  {
    runtime: "paddock",
    rule: "runtime.md/delete: one that is created and not started is an error, and has no effect",
    reason: "as with runc it goes: engines clear away so what they never started",
  },
  ...peer("runc", "1.1.5", [
    [
      "runtime.md/delete: one that is created and not started is an error, and has no effect",
      "it is ended and deleted",
    ],
    [
      "runtime.md/create: of many at once with one id exactly one makes a container",
      "two can win, for it looks first and makes the directory later",
      "sometimes",
    ],
    [
      "runtime.md/start: of many at once one starts it, and the command runs once",
      "the others can wait for ever at the fifo",
      "sometimes",
    ],
  ]),
  ...peer("crun", "1.8.1", [
    [
      "runtime.md/delete: one that is created and not started is an error, and has no effect",
      "it is ended and deleted",
    ],
    ['runtime.md/create: an id that is not valid is an error: "a b"', "it is one for crun"],
    [
      "runtime.md/kill: a signal that there is not is an error, and nothing changes",
      "a name that it does not know is none to it",
    ],
  ]),
];

function peer(
  runtime: "runc" | "crun",
  version: string,
  rows: readonly (readonly [rule: string, reason: string, sometimes?: "sometimes"])[],
): Difference[] {
  return rows.map(([rule, reason, sometimes]) => ({
    runtime,
    version,
    rule,
    reason,
    ...(sometimes === undefined ? {} : { sometimes: true }),
  }));
}
