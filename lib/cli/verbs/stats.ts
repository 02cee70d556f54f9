/**
 * `paddock stats`.
 *
 * @module
 */
import { formatSize } from "../../base/sizes.ts";
import type { ContainerUse } from "../../runtime/stats.ts";
import { formatList } from "../list_format.ts";
import { redraw } from "../redraw.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn, lastValue } from "../words.ts";

/** Shows what containers use: once, or again and again. */
export async function run(words: Words, host: Host): Promise<number> {
  const { StatsWatch } = await import("../../runtime/stats.ts");
  const watch = new StatsWatch(words.positionals, isOn(words, "all"), readRoots(words, host));
  const format = lastValue(words, "format");
  const show = (): string => formatStats(watch.look(), isOn(words, "json"), format);
  watch.begin();
  await new Promise((resolve) => setTimeout(resolve, FIRST));
  if (isOn(words, "no-stream")) host.print(show());
  else await redraw(show, PERIOD);
  return 0;
}

/** Milliseconds: what share of a processor was used is seen over this time, and then from one look to the next. */
const FIRST = 200;
const PERIOD = 1000;

const HEADS = {
  ID: "CONTAINER ID",
  Container: "CONTAINER",
  Name: "NAME",
  CPUPerc: "CPU %",
  MemUsage: "MEM USAGE / LIMIT",
  MemPerc: "MEM %",
  Swap: "SWAP",
  NetIO: "NET I/O",
  BlockIO: "BLOCK I/O",
  PIDs: "PIDS",
  PSI: "PSI CPU/MEM/IO",
};

const COLUMNS = ["ID", "Name", "CPUPerc", "MemUsage", "MemPerc", "Swap", "NetIO", "BlockIO", "PIDs"];

/** As text: numbers as JSON, or docker's table or template. Pressure is a column where the kernel keeps it. */
export function formatStats(uses: readonly ContainerUse[], json: boolean, format: string | undefined): string {
  if (json) return `${JSON.stringify(uses, null, 2)}\n`;
  const columns = uses.some(({ pressure }) => pressure !== undefined) ? [...COLUMNS, "PSI"] : COLUMNS;
  return formatList({ rows: uses.map(describeAsDocker), heads: HEADS, columns }, format);
}

function describeAsDocker(use: ContainerUse): Record<string, unknown> {
  const { id, name, cpuPercent, memory, memoryLimit, swap, pids, pressure } = use;
  return {
    ID: id,
    Container: id,
    Name: name,
    CPUPerc: percent(cpuPercent),
    MemUsage: `${size(memory)} / ${memoryLimit === undefined ? "no limit" : formatSize(memoryLimit)}`,
    MemPerc: percent(memory === undefined || !memoryLimit ? undefined : memory / memoryLimit * 100),
    Swap: size(swap),
    NetIO: pair(use.received, use.sent),
    BlockIO: pair(use.ioRead, use.ioWritten),
    PIDs: pids === undefined ? NONE : String(pids),
    PSI: [pressure?.cpu, pressure?.memory, pressure?.io].map((one) => percent(one?.some)).join(" "),
  };
}

/** Nobody counts it. */
const NONE = "--";

function percent(value: number | undefined): string {
  return value === undefined ? NONE : `${value.toFixed(2)}%`;
}

function size(value: number | undefined): string {
  return value === undefined ? NONE : formatSize(value);
}

function pair(into: number | undefined, out: number | undefined): string {
  return into === undefined && out === undefined ? NONE : `${size(into)} / ${size(out)}`;
}
