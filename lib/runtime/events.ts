/**
 * `paddock events`: what a container uses, time and again, and that it has run out of memory.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { formatStats, readStats } from "../cgroup/stats.ts";
import { readRdtStats } from "../cgroup/stats_rdt.ts";
import type { StatsObject } from "../cgroup/stats_text.ts";
import { readControl } from "../kernel/cgroup.ts";
import { MemoryWatch } from "../kernel/memory_watch.ts";
import { parseMountInfo } from "../host/mountinfo.ts";
import { parseConfigText } from "../spec/parse.ts";
import type { Roots } from "../state/root.ts";
import { isLive, type LiveContainer, openLive } from "./container_processes.ts";
import { readInterfaces } from "./interface_counts.ts";

/** What is asked for. */
export interface EventsOptions {
  /** What it uses now, and no more. */
  readonly once: boolean;
  /** Milliseconds between two looks. */
  readonly interval: number;
}

/**
 * Prints one line of JSON for each event until the container ends.
 *
 * @param print takes a line with its newline
 * @throws PaddockError where it does not run.
 */
export function followEvents(id: string, { once, interval }: EventsOptions, roots: Roots, print: Print): void {
  const container = openLive(id, roots);
  if (!isLive(container) || container.pid === undefined) {
    throw new PaddockError(`container with id ${id} is not running`);
  }
  const emit = (type: string, more: StatsObject): void => print(`${formatStats({ type, id, ...more })}\n`);
  if (once) {
    emit("stats", { data: readAll(container) });
    return;
  }
  using watch = new MemoryWatch(container.pid, container.cgroupPaths);
  for (let next = Date.now() + interval;;) {
    const event = watch.wait(Math.max(0, next - Date.now()));
    if (event === "oom") emit("oom", {});
    if (event === "ended" || !isLive(see(id, roots))) return;
    if (Date.now() < next) continue;
    emit("stats", { data: readAll(container) });
    next += interval;
  }
}

type Print = (line: string) => void;

function see(id: string, roots: Roots): Pick<LiveContainer, "status"> {
  try {
    return openLive(id, roots);
  } catch {
    return { status: "stopped" };
  }
}

function readAll(container: LiveContainer): StatsObject {
  const source = { paths: container.cgroupPaths, readText: readControl, pageSizes: listPageSizes() };
  return { ...readStats(source), intel_rdt: readRdt(container), network_interfaces: readInterfaces(container.pid) };
}

/** `2MB` of `/sys/kernel/mm/hugepages/hugepages-2048kB`. */
function listPageSizes(): string[] {
  const kilobytes = listNames("/sys/kernel/mm/hugepages").flatMap((name) => {
    const size = /^hugepages-(\d+)kB$/.exec(name)?.[1];
    return size === undefined ? [] : [Number(size)];
  });
  return kilobytes.map((size) =>
    size >= 1024 ** 2 ? `${size / 1024 ** 2}GB` : size >= 1024 ? `${size / 1024}MB` : `${size}KB`
  );
}

function readRdt({ id, directory }: LiveContainer): StatsObject {
  const text = readControl("/proc/self/mountinfo") ?? "";
  if (!text.includes(" resctrl ")) return {};
  const mount = parseMountInfo(text).find(({ type }) => type === "resctrl")?.target;
  const config = readControl(`${directory}/config.json`);
  const rdt = config === undefined ? undefined : parseConfigText(config).linux.intelRdt;
  if (mount === undefined || rdt === undefined) return {};
  const own = `${mount}/${rdt.closID ?? id}`;
  const data = `${rdt.enableMonitoring ? `${own}/mon_groups/${id}` : own}/mon_data`;
  const monitors = listNames(data).sort().map((name) => `${data}/${name}`);
  return readRdtStats({ mount, directory: own, monitors, readText: readControl });
}

function listNames(directory: string): string[] {
  try {
    return Array.from(Deno.readDirSync(directory), ({ name }) => name);
  } catch {
    return [];
  }
}
