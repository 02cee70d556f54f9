/**
 * What a container uses, in the words of runc's `events` (its `types/events.go`), which engines read.
 *
 * Counts may be above 2^53 ("no limit" is 2^64 - 1 in v2), so all are bigints. A field that runc leaves out at zero is
 * absent here; one that it always writes is always there.
 *
 * @module
 */
import type { ReadText } from "./read.ts";
import { readCount, type StatsObject, withoutZeros } from "./stats_text.ts";
import { readBlkioV1, readCpusetV1, readCpuV1, readHugetlbV1, readMemoryV1 } from "./stats_v1.ts";
import { readCpuV2, readHugetlbV2, readIoV2, readMemoryV2 } from "./stats_v2.ts";

/** Where a container's files are, and how they are read. */
export interface StatsSource {
  /** Its directories, one for each hierarchy. */
  readonly paths: readonly string[];
  readonly readText: ReadText;
  /** Sizes of huge pages here, as in `hugetlb.2MB.…`. */
  readonly pageSizes: readonly string[];
}

/** Everything that its cgroups say; what no hierarchy serves here is empty. */
export function readStats(source: StatsSource): StatsObject {
  const at = (file: string) => findDirectory(source, file);
  const { readText } = source;
  const [acct, cpu, cpuV2] = [at("cpuacct.usage"), at("cpu.cfs_quota_us") ?? at("cpu.shares"), at("cpu.stat")];
  const [memory, memoryV2] = [at("memory.usage_in_bytes"), at("memory.current")];
  const [blkio, io] = [at("blkio.throttle.io_serviced"), at("io.stat")];
  const cpuset = at("cpuset.cpu_exclusive");
  return {
    cpu: acct !== undefined
      ? readCpuV1(acct, cpu, readText)
      : cpuV2 === undefined
      ? NO_CPU
      : readCpuV2(cpuV2, readText),
    cpuset: cpuset === undefined ? NO_CPUSET : readCpusetV1(cpuset, readText),
    memory: memory !== undefined
      ? readMemoryV1(memory, readText)
      : memoryV2 === undefined
      ? NO_MEMORY
      : readMemoryV2(memoryV2, readText),
    pids: readPids(at("pids.current"), readText),
    blkio: blkio !== undefined ? readBlkioV1(blkio, readText) : io === undefined ? {} : readIoV2(io, readText),
    hugetlb: Object.fromEntries(source.pageSizes.flatMap((size) => {
      const [v1, v2] = [at(`hugetlb.${size}.usage_in_bytes`), at(`hugetlb.${size}.current`)];
      if (v1 !== undefined) return [[size, readHugetlbV1(v1, size, readText)]];
      return v2 === undefined ? [] : [[size, readHugetlbV2(v2, size, readText)]];
    })),
  };
}

/** One line of JSON. */
export function formatStats(value: StatsObject): string {
  return JSON.stringify(value, (_, part) => typeof part === "bigint" ? rawJson(String(part)) : part);
}

/** A number in JSON as it stands (ECMAScript's proposal "JSON.parse source text access", which V8 has). */
function rawJson(text: string): unknown {
  return (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(text);
}

const NO_CPU: StatsObject = { usage: { kernel: 0n, user: 0n }, throttling: {} };
const NO_ENTRY: StatsObject = { limit: 0n, failcnt: 0n };
const NO_MEMORY: StatsObject = { usage: NO_ENTRY, swap: NO_ENTRY, kernel: NO_ENTRY, kernelTCP: NO_ENTRY };
const NO_CPUSET: StatsObject = {
  cpu_exclusive: 0n,
  mem_hardwall: 0n,
  mem_exclusive: 0n,
  memory_migrate: 0n,
  memory_spread_page: 0n,
  memory_spread_slab: 0n,
  memory_pressure: 0n,
  sched_load_balance: 0n,
  sched_relax_domain_level: 0n,
};

function findDirectory({ paths, readText }: StatsSource, file: string): string | undefined {
  return paths.find((path) => readText(`${path}/${file}`) !== undefined);
}

/** The same files in both versions. */
function readPids(directory: string | undefined, readText: ReadText): StatsObject {
  if (directory === undefined) return {};
  return withoutZeros({
    current: readCount(readText(`${directory}/pids.current`)),
    limit: readCount(readText(`${directory}/pids.max`)),
  });
}
