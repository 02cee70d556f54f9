/**
 * `paddock ps`.
 *
 * @module
 */
import { formatAge, formatTable, quoteCommand } from "../../base/text.ts";
import type { SeenContainer } from "../../state/container.ts";
import { readRoots } from "../run_options.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Lists containers: a table, names, or JSON; with the id of one, its processes. */
export async function run(words: Words, host: Host): Promise<number> {
  if (words.positionals.length > 0) return await (await import("./ps_container.ts")).run(words, host);
  const { listContainers } = await import("../../runtime/ps.ts");
  const found = await listContainers(readRoots(words, host), { all: isOn(words, "all") });
  host.print(
    formatContainers(found, isOn(words, "json") ? "json" : isOn(words, "quiet") ? "quiet" : "table", Date.now()),
  );
  return 0;
}

/** The list as text; `now` in milliseconds, for how long ago. */
export function formatContainers(
  found: readonly SeenContainer[],
  form: "json" | "quiet" | "table",
  now: number,
): string {
  if (form === "json") {
    return `${JSON.stringify(found.map(({ id, status, pid, record }) => ({ ...record, id, status, pid })), null, 2)}\n`;
  }
  if (form === "quiet") return found.map(({ id }) => `${id}\n`).join("");
  const rows = found.map(({ id, status, record }) => [
    id,
    record?.image ?? "",
    shorten(quoteCommand(record?.command ?? []), 30),
    record === undefined ? "" : formatAge(now - Date.parse(record.created)),
    formatStatus(status, record?.exit),
  ]);
  return `${formatTable(["NAME", "IMAGE", "COMMAND", "CREATED", "STATUS"], rows)}\n`;
}

function formatStatus(status: string, exit: NonNullable<SeenContainer["record"]>["exit"]): string {
  if (exit === undefined) return status;
  return `${status} (${exit.oom ? "out of memory, " : ""}exit code ${exit.code})`;
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
