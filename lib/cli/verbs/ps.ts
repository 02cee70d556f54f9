/**
 * `paddock ps`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { formatAge, quoteCommand } from "../../base/text.ts";
import type { Port } from "../../spec/network.ts";
import { nameCause } from "../../runtime/cause.ts";
import type { ContainerView } from "../../runtime/container_view.ts";
import type { PsOptions } from "../../runtime/ps.ts";
import { formatList } from "../list_format.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { readFlag, readInteger, readPair } from "../values/flag.ts";
import { redraw } from "../redraw.ts";
import { allValues, isOn, lastValue } from "../words.ts";

/** Lists containers: a table, names, by a template, or JSON; with the id of one, its processes. */
export async function run(words: Words, host: Host): Promise<number> {
  if (words.positionals.length > 0) return await (await import("./ps_container.ts")).run(words, host);
  const { listContainers } = await import("../../runtime/ps.ts");
  const [roots, options] = [readRoots(words, host), readPsOptions(words)];
  const form = readForm(words);
  const show = (): string => formatContainers(listContainers(roots, options), form, Date.now());
  if (isOn(words, "watch")) await redraw(show, PERIOD);
  else host.print(show());
  return 0;
}

/** Milliseconds between two looks of `--watch`. */
const PERIOD = 1000;

/** How a list is shown. */
export interface Form {
  readonly kind: "json" | "quiet" | "format";
  /** A template, `table` or `json`, as docker's. */
  readonly format?: string;
  /** Whole commands. */
  readonly whole: boolean;
}

function readPsOptions(words: Words): PsOptions {
  const last = isOn(words, "latest") ? 1 : readFlag(words, "last", (text) => readInteger(text, -1, 1e9));
  return {
    all: isOn(words, "all"),
    ...(last === undefined || last < 0 ? {} : { last }),
    filters: allValues(words, "filter").map((text) => readFilter(text)),
  };
}

function readFilter(text: string): readonly [string, string] {
  try {
    return readPair(text);
  } catch {
    throw new UsageError(`--filter: '${text}' is not of the form KEY=VALUE`, {
      hint: "as in status=exited; a template is for --format",
    });
  }
}

function readForm(words: Words): Form {
  const format = lastValue(words, "format");
  const kind = isOn(words, "json") ? "json" : isOn(words, "quiet") ? "quiet" : "format";
  return { kind, whole: isOn(words, "no-trunc"), ...(format === undefined ? {} : { format }) };
}

/** docker's heads. */
const HEADS = {
  ID: "CONTAINER ID",
  Names: "NAMES",
  Image: "IMAGE",
  Command: "COMMAND",
  CreatedAt: "CREATED AT",
  RunningFor: "CREATED",
  Status: "STATUS",
  State: "STATE",
  Ports: "PORTS",
  Labels: "LABELS",
  Label: (key: unknown) => String(key).replace(/^.*\./, "").toUpperCase(),
  Mounts: "MOUNTS",
  LocalVolumes: "LOCAL VOLUMES",
  Networks: "NETWORKS",
  Pid: "PID",
};

const COLUMNS = ["ID", "Image", "Command", "RunningFor", "Status", "Ports", "Names"];

/** The list as text; `now` in milliseconds, for how long ago. */
export function formatContainers(found: readonly ContainerView[], { kind, format, whole }: Form, now: number): string {
  if (kind === "json") {
    const values = found.map(({ id, status, pid, record, state, startedAt, health }) => ({
      ...record,
      id,
      status,
      state,
      pid,
      ...(health === undefined ? {} : { health: health.status }),
      startedAt,
    }));
    return `${JSON.stringify(values, null, 2)}\n`;
  }
  if (kind === "quiet") return found.map(({ id }) => `${id}\n`).join("");
  const rows = found.map((view) => describeAsDocker(view, whole, now));
  return formatList({ rows, heads: HEADS, columns: COLUMNS }, format);
}

/** docker's fields, those of its `ps --format`. */
function describeAsDocker(view: ContainerView, whole: boolean, now: number): Record<string, unknown> {
  const { id, record, state, pid } = view;
  const command = quoteCommand(record?.command ?? []);
  const labels = record?.imageConfig?.labels ?? {};
  return {
    ID: id,
    Names: record?.name ?? id,
    Image: record?.image ?? "",
    Command: whole ? command : shorten(command, 30),
    CreatedAt: record?.created ?? "",
    RunningFor: record === undefined ? "" : formatAge(now - Date.parse(record.created)),
    Status: formatStatus(view, now),
    State: state,
    Ports: (record?.network?.ports ?? []).map(formatPort).join(", "),
    Labels: Object.entries(labels).map(([key, value]) => `${key}=${value}`).join(","),
    Label: (key: unknown) => labels[String(key)] ?? "",
    Mounts: (record?.volumes ?? []).join(","),
    LocalVolumes: String(record?.volumes?.length ?? 0),
    Networks: record?.network?.network ?? "",
    Pid: pid === undefined ? "" : String(pid),
  };
}

/** As docker says it: `Up 3 min`, `Exited (1) 2 h ago`; and what ended it, where the code alone does not tell. */
function formatStatus({ state, record, startedAt, lastCode, health }: ContainerView, now: number): string {
  const up = startedAt === undefined ? "Up" : `Up ${formatAge(now - Date.parse(startedAt)).replace(/ ago$/, "")}`;
  const check = health === undefined ? "" : ` (${health.status === "starting" ? "health: starting" : health.status})`;
  if (state === "running") return `${up}${check}`;
  if (state === "paused") return `${up} (Paused)`;
  if (state === "restarting") return `Restarting (${lastCode ?? 0})`;
  const exit = record?.exit;
  if (state === "exited" && exit !== undefined) {
    const cause = nameCause(exit);
    const age = formatAge(now - Date.parse(exit.at));
    return `Exited (${exit.code}) ${age}${cause === undefined ? "" : `: ${cause}`}`;
  }
  return state === "dead" ? "Dead: its launcher was killed" : "Created";
}

/** As docker shows it: `0.0.0.0:8080->80/tcp`. */
function formatPort({ protocol, hostAddress, hostPort, containerPort }: Port): string {
  const address = hostAddress === undefined ? "0.0.0.0" : hostAddress.includes(":") ? `[${hostAddress}]` : hostAddress;
  return `${address}:${hostPort}->${containerPort}/${protocol}`;
}

function shorten(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
