/**
 * `paddock history`.
 *
 * @module
 */
import { formatSize } from "../../base/sizes.ts";
import { escapeControl, formatAge, formatTable } from "../../base/text.ts";
import type { HistoryLine } from "../../runtime/inspect.ts";
import { formatByTemplate } from "../go_template.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn, lastValue } from "../words.ts";

/** Shows how an image came about: a table, ids, lines by a template, or JSON. */
export async function run(words: Words, host: Host): Promise<number> {
  const { readHistory } = await import("../../runtime/inspect.ts");
  const lines = await readHistory(words.positionals[0] ?? "", readRoots(words, host));
  const template = lastValue(words, "format");
  const whole = isOn(words, "no-trunc");
  if (isOn(words, "json")) host.print(`${JSON.stringify(lines, null, 2)}\n`);
  else if (isOn(words, "quiet")) host.print(lines.map(({ id }) => `${showId(id, whole)}\n`).join(""));
  else if (template !== undefined) {
    host.print(lines.map((line) => `${formatByTemplate(template, describeAsDocker(line, whole))}\n`).join(""));
  } else host.print(formatHistory(lines, whole, Date.now()));
  return 0;
}

function formatHistory(lines: readonly HistoryLine[], whole: boolean, now: number): string {
  const rows = lines.map(({ id, created, createdBy, size, comment }) => [
    showId(id, whole),
    created === "" ? "" : formatAge(now - Date.parse(created)),
    escapeControl(whole || createdBy.length <= 45 ? createdBy : `${createdBy.slice(0, 44)}…`),
    formatSize(size),
    escapeControl(comment),
  ]);
  return `${formatTable(["IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT"], rows)}\n`;
}

/** docker's fields. */
function describeAsDocker({ id, created, createdBy, size, comment }: HistoryLine, whole: boolean): unknown {
  return { ID: showId(id, whole), CreatedAt: created, CreatedBy: createdBy, Size: formatSize(size), Comment: comment };
}

function showId(id: string | undefined, whole: boolean): string {
  return id === undefined ? "<missing>" : whole ? id : id.slice("sha256:".length).slice(0, 12);
}
