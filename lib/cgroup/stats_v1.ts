/**
 * What the files of cgroup v1 say of use (the kernel's Documentation/admin-guide/cgroup-v1).
 *
 * @module
 */
import { parseNumberList } from "../base/sizes.ts";
import type { ReadText } from "./read.ts";
import { readCount, readCounts, type StatsObject, withoutZeros } from "./stats_text.ts";

/** Nanoseconds of a tick of `cpuacct.stat`: USER_HZ is 100 for programs, whatever the kernel's own is. */
const TICK = 10_000_000n;

/**
 * Processor time, nanoseconds.
 *
 * @param acct directory with `cpuacct.usage`
 * @param cpu directory with `cpu.stat`, where there is one
 */
export function readCpuV1(acct: string, cpu: string | undefined, readText: ReadText): StatsObject {
  const { user = 0n, system = 0n } = readCounts(readText(`${acct}/cpuacct.stat`));
  const stat = readCounts(cpu === undefined ? undefined : readText(`${cpu}/cpu.stat`));
  // A head, and then a line for each processor: its number, time in user mode, time in the kernel.
  const each = (readText(`${acct}/cpuacct.usage_all`) ?? "").split("\n").slice(1)
    .map((line) => line.split(" ")).filter((words) => words.length === 3);
  const column = (index: number): bigint[] => each.map((words) => readCount(words[index]));
  return {
    usage: {
      ...withoutZeros({
        total: readCount(readText(`${acct}/cpuacct.usage`)),
        percpu: (readText(`${acct}/cpuacct.usage_percpu`) ?? "").trim().split(/\s+/).filter((word) => word !== "")
          .map((word) => readCount(word)),
        percpu_kernel: column(2),
        percpu_user: column(1),
      }),
      kernel: system * TICK,
      user: user * TICK,
    },
    throttling: withoutZeros({
      periods: stat["nr_periods"] ?? 0n,
      throttledPeriods: stat["nr_throttled"] ?? 0n,
      throttledTime: stat["throttled_time"] ?? 0n,
    }),
  };
}

const CPUSET_FILES = [
  "cpu_exclusive",
  "mem_hardwall",
  "mem_exclusive",
  "memory_migrate",
  "memory_spread_page",
  "memory_spread_slab",
  "memory_pressure",
  "sched_load_balance",
] as const;

/** Processors and memory nodes that it may use. */
export function readCpusetV1(directory: string, readText: ReadText): StatsObject {
  const list = (name: string): bigint[] => {
    const text = (readText(`${directory}/cpuset.${name}`) ?? "").trim();
    return text === "" ? [] : parseNumberList(text).map(BigInt);
  };
  const level = (readText(`${directory}/cpuset.sched_relax_domain_level`) ?? "0").trim();
  return {
    ...withoutZeros({ cpus: list("cpus"), mems: list("mems") }),
    ...Object.fromEntries(CPUSET_FILES.map((name) => [name, readCount(readText(`${directory}/cpuset.${name}`))])),
    sched_relax_domain_level: /^-?\d+$/.test(level) ? BigInt(level) : 0n,
  };
}

/** Memory, bytes; swap is memory and swap together. */
export function readMemoryV1(directory: string, readText: ReadText): StatsObject {
  const raw = readCounts(readText(`${directory}/memory.stat`));
  const entry = (kind: string): StatsObject => {
    const count = (name: string) => readCount(readText(`${directory}/memory.${kind}${name}`));
    return {
      limit: count("limit_in_bytes"),
      ...withoutZeros({ usage: count("usage_in_bytes"), max: count("max_usage_in_bytes") }),
      failcnt: count("failcnt"),
    };
  };
  return {
    ...withoutZeros({ cache: raw["cache"] ?? 0n }),
    usage: entry(""),
    swap: entry("memsw."),
    kernel: entry("kmem."),
    kernelTCP: entry("kmem.tcp."),
    ...(Object.keys(raw).length === 0 ? {} : { raw }),
  };
}

/** Names in the answer, and the files of the schedulers BFQ and CFQ, without what stands before. */
const BLKIO_FILES: readonly (readonly [key: string, file: string])[] = [
  ["ioServiceBytesRecursive", "io_service_bytes"],
  ["ioServicedRecursive", "io_serviced"],
  ["ioQueueRecursive", "io_queued"],
  ["ioServiceTimeRecursive", "io_service_time"],
  ["ioWaitTimeRecursive", "io_wait_time"],
  ["ioMergedRecursive", "io_merged"],
  ["ioTimeRecursive", "time"],
  ["sectorsRecursive", "sectors"],
];

/** What it read and wrote on disks: by the scheduler where that counts, else by what limits rates. */
export function readBlkioV1(directory: string, readText: ReadText): StatsObject {
  const read = (prefix: string): StatsObject =>
    withoutZeros(Object.fromEntries(BLKIO_FILES.map(([key, file]) => {
      const text = readText(`${directory}/${prefix}${file}_recursive`) ?? readText(`${directory}/${prefix}${file}`);
      return [key, parseBlkio(text ?? "")];
    })));
  const all = ["blkio.bfq.", "blkio.", "blkio.throttle."].map(read);
  return all.find((found) => "ioServicedRecursive" in found) ?? {};
}

/** Lines such as `254:0 Read 4096`, or `8:0 123` without a kind; the sum at the end is of no disk. */
function parseBlkio(text: string): StatsObject[] {
  return text.split("\n").flatMap((line) => {
    const match = /^(\d+):(\d+)(?: (\w+))? (\d+)$/.exec(line);
    if (match === null) return [];
    const [, major, minor, op, value] = match;
    return [withoutZeros({
      major: BigInt(major!),
      minor: BigInt(minor!),
      ...(op === undefined ? {} : { op }),
      value: BigInt(value!),
    })];
  });
}

/** Huge pages of one size, bytes. */
export function readHugetlbV1(directory: string, size: string, readText: ReadText): StatsObject {
  const count = (name: string) => readCount(readText(`${directory}/hugetlb.${size}.${name}`));
  return {
    ...withoutZeros({ usage: count("usage_in_bytes"), max: count("max_usage_in_bytes") }),
    failcnt: count("failcnt"),
  };
}
