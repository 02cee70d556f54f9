/**
 * `paddock ps ID`: the processes of one container, as runc shows them.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { formatTable } from "../../base/text.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { allValues, lastValue } from "../words.ts";

/** Prints a table made of the host's `ps`, or the process ids as JSON. */
export async function run(words: Words, host: Host): Promise<number> {
  const { listContainerProcesses, openLive } = await import("../../runtime/container_processes.ts");
  const [id = "", ...options] = words.positionals;
  const pids = listContainerProcesses(openLive(id, readRoots(words, host)));
  if (asksForJson(words)) host.print(`${JSON.stringify(pids)}\n`);
  else if (host.calledAs() === "crun") host.print(`${formatTable(["PID"], pids.map((pid) => [String(pid)]))}\n`);
  else {
    const { tabulateProcesses } = await import("../../runtime/process_table.ts");
    host.print(tabulateProcesses(pids, options));
  }
  return 0;
}

/** `-f` is runc's for the format, and docker's for a filter, which the processes of one container have not. */
function asksForJson(words: Words): boolean {
  const [own, filter] = [lastValue(words, "format"), allValues(words, "filter").at(-1)];
  const format = own ?? filter ?? "table";
  if (format === "table" || format === "json") return format === "json";
  throw new UsageError(`the processes of a container are shown as table or json, not by '${format}'`);
}
