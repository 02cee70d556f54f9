/**
 * `paddock gc`.
 *
 * @module
 */
import { EXIT } from "../../base/errors.ts";
import { escapeControl } from "../../base/text.ts";
import type { GcReport } from "../../runtime/gc.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Removes what crashes have left, and says what it was; fails where something stays. */
export async function run(words: Words, host: Host): Promise<number> {
  const { collectGarbage } = await import("../../runtime/gc.ts");
  const report = await collectGarbage(readRoots(words, host), {
    dryRun: isOn(words, "dry-run"),
    images: isOn(words, "images"),
  });
  host.print(isOn(words, "json") ? `${JSON.stringify(report, null, 2)}\n` : formatReport(report));
  return report.leftovers.some(({ problems }) => problems.length > 0) ? EXIT.failed : 0;
}

/** A line for each leftover, and one for each thing that could not be removed; nothing where all was clean. */
export function formatReport({ dryRun, leftovers }: GcReport): string {
  const lines = leftovers.flatMap(({ kind, what, why, problems }) => [
    `${dryRun ? "would remove" : problems.length > 0 ? "could not remove" : "removed"} ${kind} ${what}: ${why}`,
    ...problems.map((problem) => `  ${problem}`),
  ]);
  return lines.map((line) => `${escapeControl(line)}\n`).join("");
}
