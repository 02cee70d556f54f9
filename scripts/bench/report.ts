/**
 * The bench's figures as a table for people.
 *
 * @module
 */
import type { Resident } from "./resident.ts";
import type { Comparison, Spread } from "./pairs.ts";

/** One figure and what is expected of it. */
export interface Figure {
  readonly what: string;
  /** Two commands against each other. */
  readonly comparison?: Comparison;
  readonly resident?: Resident;
  /** The value that the bound is for, and the most that it may be; without a bound it only informs. */
  readonly value: number;
  readonly bound?: number;
  readonly unit: "ratio of wall time" | "ms longer" | "kB resident" | "MB peak";
}

/** The machine and what was measured on it. */
export interface Circumstances {
  readonly machine: string;
  readonly kernel: string;
  readonly versions: Readonly<Record<string, string>>;
  readonly load: number;
  readonly missing: readonly string[];
}

/** The lines of the whole report. */
export function formatReport(about: Circumstances, figures: readonly Figure[]): string[] {
  const rows = [HEAD, ...figures.map(formatFigure)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return [
    `${about.machine}, Linux ${about.kernel}, load ${about.load.toFixed(1)} at the start`,
    Object.entries(about.versions).map(([name, version]) => `${name} ${version}`).join(", "),
    ...about.missing.map((name) => `not here, and left out: ${name}`),
    "",
    ...rows.map((row) =>
      row.map((cell, column) => column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)).join("  ")
        .trimEnd()
    ),
    "",
    "Ratios are medians of pairs of runs in turn, with their middle half; cpu is user and system time of all processes",
    "that were waited for (podman's monitor is not).",
  ];
}

const HEAD = ["", "first", "second", "ratio", "middle half", "cpu ratio", "longer by", "runs", "expected", ""];

function formatFigure({ what, comparison, resident, value, bound, unit }: Figure): string[] {
  const verdict = bound === undefined ? ["", ""] : [`≤ ${formatValue(bound, unit)}`, value <= bound ? "ok" : "over"];
  if (comparison === undefined) {
    const names = resident === undefined ? "" : resident.processes.join(" ");
    return [
      `${what}${names === "" ? "" : ` (${names})`}`,
      formatValue(value, unit),
      "",
      "",
      "",
      "",
      "",
      "",
      ...verdict,
    ];
  }
  const { a, b, ratio, longer, runs } = comparison;
  return [
    what,
    formatTime(a.wall.median),
    formatTime(b.wall.median),
    ratio.wall.median.toFixed(2),
    formatRange(ratio.wall),
    ratio.cpu.median.toFixed(2),
    formatTime(longer.median),
    `${runs}`,
    ...verdict,
  ];
}

function formatRange({ low, high }: Spread): string {
  return `${low.toFixed(2)}–${high.toFixed(2)}`;
}

function formatTime(ms: number): string {
  return Math.abs(ms) >= 1000 ? `${(ms / 1000).toFixed(2)} s` : `${ms.toFixed(1)} ms`;
}

function formatValue(value: number, unit: Figure["unit"]): string {
  switch (unit) {
    case "ratio of wall time":
      return value.toFixed(2);
    case "ms longer":
      return `${value.toFixed(0)} ms`;
    case "kB resident":
      return `${value.toFixed(0)} kB`;
    case "MB peak":
      return `${value.toFixed(0)} MB`;
  }
}
