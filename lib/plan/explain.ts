/**
 * A plan for a person: the shell commands that would do the same, each with its reason; or the system calls; or JSON.
 *
 * It is the very value that is compiled, so it cannot say anything else than what is done.
 *
 * @module
 */
import { wrapText } from "../base/text.ts";
import { formatStep } from "../program/format.ts";
import type { Act, Plan, Section } from "../program/step.ts";

const WIDTH = 100;

/** The plan as a shell script with a comment before each command. Acts that a shell has no words for are left out. */
export function explainAsShell(plan: Plan): string {
  const lines = [`# ${plan.name}: what paddock would do, as shell commands`];
  for (const section of plan.sections) {
    const acts = section.acts.filter((act) => act.shell.length > 0);
    if (acts.length === 0) continue;
    lines.push("", heading(section));
    for (const act of acts) lines.push("", ...comment(act), ...act.shell);
    // The end of the here-document that `unshare` was given.
    if (section.side === "container") lines.push("container");
  }
  return lines.join("\n") + "\n";
}

function heading({ side, title }: Section): string {
  const who = side === "container" ? "in the container's new namespaces" : "on the host";
  return `### ${title} (${who})`;
}

function comment({ what, why }: Act): string[] {
  return wrapText(`${what}: ${why}`, WIDTH - 2).map((line) => `# ${line}`);
}

/** Every step, with the act that it belongs to. */
export function explainAsSyscalls(plan: Plan): string {
  const lines: string[] = [];
  for (const section of plan.sections) {
    lines.push(heading(section), "");
    for (const act of section.acts) {
      lines.push(`# ${act.what}`, ...act.steps.map((step) => `    ${formatStep(step)}${jumps(step)}`), "");
    }
  }
  return lines.join("\n");
}

function jumps(step: Act["steps"][number]): string {
  const words = [
    step.label === undefined ? "" : `label ${step.label}`,
    step.onNegative === undefined ? "" : `<0 → ${step.onNegative}`,
    step.onZero === undefined ? "" : `0 → ${step.onZero}`,
    step.onPositive === undefined ? "" : `>0 → ${step.onPositive}`,
  ].filter((word) => word !== "");
  return words.length === 0 ? "" : `    ; ${words.join(", ")}`;
}

/** The plan as JSON; numbers beyond 2^53 as strings, bytes in base 64. */
export function explainAsJson(plan: Plan): string {
  return JSON.stringify(plan, replace, 2) + "\n";
}

function replace(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return btoa(String.fromCharCode(...value));
  return value;
}
