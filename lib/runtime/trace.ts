/**
 * What a launcher did, from the table that it left: each step in the order in which it ran, with its result.
 *
 * The order is not written down anywhere. It follows from the results, which decide where each step leads; the round of
 * a loop that is shown is its last.
 *
 * @module
 */
import type { DecodedStep, Program } from "../program/decode.ts";
import { formatDecoded } from "../program/format.ts";

/** One line for each step of both sides, the container's after its clone. */
export function formatTrace(program: Program): string[] {
  const clone = program.steps.find(({ call }) => call === "clone");
  const launcher = follow(program, 0);
  const container = clone === undefined || clone.result <= 0 ? [] : follow(program, clone.targets[1]);
  const at = clone === undefined ? launcher.length : launcher.indexOf(clone) + 1;
  const line = (side: string) => (step: DecodedStep) =>
    `${side} ${String(step.index).padStart(4)}  ${formatDecoded(program, step, { results: true })}`;
  return [
    ...launcher.slice(0, at).map(line("launcher ")),
    ...container.map(line("container")),
    ...launcher.slice(at).map(line("launcher ")),
  ];
}

/** The steps from `first` on, until one ends the process or was seen before. Operations on numbers are left out. */
function follow({ steps }: Program, first: number): DecodedStep[] {
  const seen = new Set<DecodedStep>();
  for (let step = steps[first]; step !== undefined && !seen.has(step);) {
    seen.add(step);
    // An exec that worked did not come back to write its result.
    if (/^(execve|execveat|exit_group)$/.test(step.call) && step.result === 0) break;
    const [negative, zero, positive] = step.targets;
    step = steps[step.result < 0 ? negative : step.result === 0 ? zero : positive];
  }
  return [...seen].filter(({ call }) => !call.startsWith("@"));
}
