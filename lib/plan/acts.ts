/**
 * Lists of acts.
 *
 * @module
 */
import type { Act } from "../program/step.ts";

/** Gives the first step of the first act a label to jump to. */
export function labelFirst(acts: readonly Act[], label: string): Act[] {
  const [first, ...rest] = acts;
  if (first === undefined) return [];
  const [step, ...steps] = first.steps;
  return step === undefined
    ? [first, ...labelFirst(rest, label)]
    : [{ ...first, steps: [{ ...step, label }, ...steps] }, ...rest];
}
