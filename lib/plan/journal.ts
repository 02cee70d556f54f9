/**
 * Lines of the journal of events (`lib/state/journal.ts`) that the launcher writes itself: that the command has begun,
 * and that a container which nobody keeps has ended and is gone.
 *
 * A line is a constant but for the time, and the exit code; those are written over its zeros.
 *
 * @module
 */
import { type Act, AT_FDCWD, flags, previous, type Region, type Step, step, text } from "../program/step.ts";
import { CODE } from "./process.ts";
import type { Journal } from "./setting.ts";

/** Memory of these acts. */
export const JOURNAL_REGIONS: Readonly<Record<string, Region>> = { now: { size: 16 } };

const SECONDS = 10;
const NANOSECONDS = 9;
const NO_TIME = `${"0".repeat(SECONDS)}.${"0".repeat(NANOSECONDS)}`;
const CODE_DIGITS = 3;

function formatLine({ about }: Journal, event: string, more: Readonly<Record<string, string>> = {}): string {
  return `${JSON.stringify({ time: NO_TIME, event, ...more, ...about })}\n`;
}

function startLine(journal: Journal): string {
  return formatLine(journal, "start");
}

function dieLine(journal: Journal): string {
  return formatLine(journal, "die", { exitCode: "0".repeat(CODE_DIGITS) });
}

/** Texts that these acts write into. */
export function journalTexts(journal: Journal): readonly string[] {
  return [startLine(journal), dieLine(journal), dieLine(journal) + formatLine(journal, "destroy")];
}

/** In the launcher, when the command has begun. */
export function planStartEvent(journal: Journal): Act {
  const line = startLine(journal);
  return {
    what: `write the event "start" to ${journal.file}`,
    why: "`paddock events` tells of it",
    shell: [],
    steps: [...stamp(line, [0]), ...append(journal.file, line)],
  };
}

/** In the launcher, when the container has ended, is known by its exit code, and is to be started again. */
export function planDieEvent(journal: Journal): Act {
  return {
    what: `write the event "die" to ${journal.file}`,
    why: "`paddock events` tells of it",
    shell: [],
    steps: writeEnd(journal, [dieLine(journal)]),
  };
}

/** In the launcher, when nothing is left of the container. Both in one write: nothing of another comes between. */
export function planEndEvents(journal: Journal): Act {
  return {
    what: `write the events "die" and "destroy" to ${journal.file}`,
    why: "`paddock events` tells of them",
    shell: [],
    steps: writeEnd(journal, [dieLine(journal), formatLine(journal, "destroy")]),
  };
}

/** The first of the lines has the exit code. */
function writeEnd({ file }: Journal, lines: readonly string[]): Step[] {
  const whole = lines.join("");
  const code = `{"time":"${NO_TIME}","event":"die","exitCode":"`.length;
  const begins = lines.map((_, index) => lengthOf(lines.slice(0, index).join("")));
  return [
    ...stamp(whole, begins),
    step("@digits", [{ load: CODE }, { text: whole, offset: code }, CODE_DIGITS]),
    ...append(file, whole),
  ];
}

/** The time into lines that begin at these places. */
function stamp(value: string, lines: readonly number[]): Step[] {
  const CLOCK_REALTIME = 0;
  const first = `{"time":"`.length;
  return [
    step("clock_gettime", [CLOCK_REALTIME, { region: "now" }], { onNegative: "next" }),
    ...lines.flatMap((line) => [
      step("@digits", [{ load: "now" }, { text: value, offset: line + first }, SECONDS]),
      step("@load", [8, { region: "now" }]),
      step("@digits", [previous(), { text: value, offset: line + first + SECONDS + 1 }, NANOSECONDS]),
    ]),
  ];
}

/** One that cannot be written to is no reason to fail. */
function append(file: string, value: string): Step[] {
  return [
    // Written to -1 then, which does nothing.
    step("openat", [AT_FDCWD, text(file), flags("O_WRONLY", "O_APPEND", "O_CREAT", "O_CLOEXEC"), 0o600], {
      onNegative: "next",
    }),
    step("write", [previous(), text(value), lengthOf(value)], { onNegative: "next" }),
    step("close", [previous(2)], { onNegative: "next" }),
  ];
}

function lengthOf(value: string): number {
  return new TextEncoder().encode(value).length;
}
