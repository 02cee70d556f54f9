/**
 * Small plans for tests: one section, one act, or as many as a test names.
 *
 * @module
 */
import type { Act, Arch, Plan, Region, Step } from "./step.ts";

/** What of an example differs from the plain one. */
export interface ExamplePlan {
  readonly arch?: Arch;
  readonly name?: string;
  readonly regions?: Readonly<Record<string, Region>>;
  /** Label of the step that a failed system call leads to; that step must be among those of the acts. */
  readonly fault?: string;
}

/** An act of these steps, with words that say nothing. */
export function exampleAct(what: string, ...steps: readonly Step[]): Act {
  return { what, why: "for a test", shell: [], steps };
}

/** A plan of one section with these acts. */
export function examplePlan(acts: readonly Act[], more: ExamplePlan = {}): Plan {
  const { arch = "x86_64", name = "example", regions = {}, fault = "next" } = more;
  return {
    arch,
    name,
    regions,
    sections: [{ side: "launcher", title: "example", fault, acts }],
    cgroupPaths: [],
  };
}
