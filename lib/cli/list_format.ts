/**
 * Lists by docker's `--format`: `table`, `json`, a Go template for each line, or `table TEMPLATE`, whose tabs divide
 * columns under heads. Pure.
 *
 * @module
 */
import { formatTable } from "../base/text.ts";
import { fillTemplate, formatByTemplate } from "./go_template.ts";

/** A list that can be shown in each of these forms. */
export interface List {
  /** What a template may ask for, one object for each line. */
  readonly rows: readonly Readonly<Record<string, unknown>>[];
  /** What stands above a column that is one of these fields. */
  readonly heads: Readonly<Record<string, unknown>>;
  /** Fields of the table that is shown without a template. */
  readonly columns: readonly string[];
}

/**
 * The list as text.
 *
 * @param format absent: the table.
 * @throws UsageError for a template that makes no sense.
 */
export function formatList({ rows, heads, columns }: List, format = "table"): string {
  if (format !== "table" && !format.startsWith("table ")) {
    return rows.map((row) => `${formatByTemplate(format, row)}\n`).join("");
  }
  const template = format === "table" ? columns.map((name) => `{{.${name}}}`).join("\t") : format.slice(6).trim();
  const cells = (values: unknown): string[] => fillTemplate(template, values).split("\t");
  // A row of an image's name with a tab in it must not move the columns: cells that are too many are of the last.
  const head = cells(heads);
  const body = rows.map((row) => {
    const own = cells(mapTexts(row));
    return [...own.slice(0, head.length - 1), own.slice(head.length - 1).join(" ")];
  });
  return `${formatTable(head, body)}\n`;
}

function mapTexts(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [key, typeof value === "string" ? value.replaceAll("\t", "\\t") : value]),
  );
}
