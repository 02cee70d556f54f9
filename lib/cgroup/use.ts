/**
 * What a container uses, by its cgroups of either version, for people: `stats`, and what is kept of one that has ended.
 * Over text; the reading itself is the caller's.
 *
 * @module
 */
import { parseAmount, parseKeyed, type ReadText } from "./read.ts";
import { readPressure } from "./stats_v2.ts";

/** Absent is what no hierarchy counts here. */
export interface Use {
  /** Nanoseconds of processor time since its start. */
  readonly cpu?: number;
  /** Bytes, without cached files that nobody needs, as docker counts them. */
  readonly memory?: number;
  readonly memoryLimit?: number;
  readonly swap?: number;
  /** Bytes from and to disks. */
  readonly ioRead?: number;
  readonly ioWritten?: number;
  /** Processes and threads. */
  readonly pids?: number;
  readonly pidsLimit?: number;
  /** Time lost in waiting (PSI), of v2 alone. */
  readonly pressure?: Readonly<Record<"cpu" | "memory" | "io", Pressure | undefined>>;
}

/** Shares of the last ten seconds in which some, or all, processes waited; percents. */
export interface Pressure {
  readonly some: number;
  readonly full?: number;
}

/** Reads files of one container's cgroups by their names alone, wherever they are. */
export type ReadOwn = (file: string) => string | undefined;

/**
 * A reader for many containers: which hierarchy has which file is the same for all whose cgroups lie side by side, and
 * looked up once.
 *
 * @param isThere tells whether there is a file of that path.
 */
export function makeReader(
  readText: ReadText,
  isThere: (path: string) => boolean,
): (paths: readonly string[]) => ReadOwn {
  const known = new Map<string, boolean>();
  const has = (path: string, file: string): boolean => {
    const key = `${path.slice(0, path.lastIndexOf("/"))}\0${file}`;
    const found = known.get(key) ?? isThere(`${path}/${file}`);
    known.set(key, found);
    return found;
  };
  return (paths) => (file) => {
    const path = paths.find((one) => has(one, file));
    return path === undefined ? undefined : readText(`${path}/${file}`);
  };
}

/** Processor time alone, nanoseconds. */
export function readCpuTime(read: ReadOwn): number | undefined {
  const acct = read("cpuacct.usage");
  if (acct !== undefined) return Number(acct);
  const microseconds = parseKeyed(read("cpu.stat") ?? "")["usage_usec"];
  return microseconds === undefined ? undefined : microseconds * 1000;
}

/** Everything. */
export function readUse(read: ReadOwn): Use {
  return withoutAbsent({
    cpu: readCpuTime(read),
    ...readMemory(read),
    ...readIo(read),
    pids: amount(read("pids.current")),
    pidsLimit: amount(read("pids.max")),
    pressure: readPressures(read),
  });
}

function readMemory(read: ReadOwn): Use {
  const v1 = read("memory.usage_in_bytes");
  const total = amount(v1 ?? read("memory.current"));
  if (total === undefined) return {};
  const stat = parseKeyed(read("memory.stat") ?? "");
  const unneeded = stat[v1 === undefined ? "inactive_file" : "total_inactive_file"] ?? 0;
  const both = v1 === undefined ? undefined : amount(read("memory.memsw.usage_in_bytes"));
  return withoutAbsent({
    memory: Math.max(0, total - unneeded),
    memoryLimit: amount(read(v1 === undefined ? "memory.max" : "memory.limit_in_bytes")),
    swap: v1 === undefined
      ? amount(read("memory.swap.current"))
      : both === undefined
      ? undefined
      : Math.max(0, both - total),
  });
}

function readIo(read: ReadOwn): Use {
  const v2 = read("io.stat");
  if (v2 !== undefined) {
    return { ioRead: sum(v2, /\brbytes=(\d+)/g), ioWritten: sum(v2, /\bwbytes=(\d+)/g) };
  }
  const v1 = read("blkio.throttle.io_service_bytes_recursive") ?? read("blkio.throttle.io_service_bytes");
  return v1 === undefined
    ? {}
    : { ioRead: sum(v1, /^\d+:\d+ Read (\d+)$/gm), ioWritten: sum(v1, /^\d+:\d+ Write (\d+)$/gm) };
}

function sum(text: string, pattern: RegExp): number {
  return [...text.matchAll(pattern)].reduce((total, match) => total + Number(match[1]), 0);
}

function readPressures(read: ReadOwn): Use["pressure"] {
  const [cpu, memory, io] = ["cpu", "memory", "io"].map((kind) => toPressure(read(`${kind}.pressure`)));
  return cpu === undefined && memory === undefined && io === undefined ? undefined : { cpu, memory, io };
}

function toPressure(text: string | undefined): Pressure | undefined {
  const { psi } = readPressure(text) as { psi?: Readonly<Record<string, { readonly avg10: number }>> };
  if (psi?.["some"] === undefined) return undefined;
  return { some: psi["some"].avg10, ...(psi["full"] === undefined ? {} : { full: psi["full"].avg10 }) };
}

function amount(text: string | undefined): number | undefined {
  return text === undefined ? undefined : parseAmount(text);
}

function withoutAbsent(use: { readonly [Key in keyof Use]: Use[Key] | undefined }): Use {
  return Object.fromEntries(Object.entries(use).filter(([, value]) => value !== undefined)) as Use;
}
