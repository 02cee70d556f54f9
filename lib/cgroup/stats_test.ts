import { assertEquals } from "@std/assert";
import { formatStats, readStats, type StatsSource } from "./stats.ts";
import { readRdtStats } from "./stats_rdt.ts";

const NO_LIMIT = 18446744073709551615n;

function source(
  files: Readonly<Record<string, string>>,
  paths: readonly string[],
  pageSizes: readonly string[] = [],
): StatsSource {
  return { paths, pageSizes, readText: (path: string) => files[path] };
}

Deno.test("readStats of v1: each controller from its own hierarchy, zeros left out as runc does", () => {
  const files = {
    "/cpu/c/cpu.shares": "1024\n",
    "/cpu/c/cpu.stat": "nr_periods 5\nnr_throttled 0\nthrottled_time 7\n",
    "/acct/c/cpuacct.usage": "8712378\n",
    "/acct/c/cpuacct.usage_percpu": "7252502 1459876 \n",
    "/acct/c/cpuacct.usage_all": "cpu user system\n0 0 8000000\n1 5 0\n",
    "/acct/c/cpuacct.stat": "user 3\nsystem 4\n",
    "/mem/c/memory.usage_in_bytes": "1576960\n",
    "/mem/c/memory.max_usage_in_bytes": "2244608\n",
    "/mem/c/memory.limit_in_bytes": "9223372036854771712\n",
    "/mem/c/memory.failcnt": "2\n",
    "/mem/c/memory.stat": "cache 786432\nrss 0\n",
    "/pids/c/pids.current": "1\n",
    "/pids/c/pids.max": "max\n",
    "/set/c/cpuset.cpu_exclusive": "0\n",
    "/set/c/cpuset.cpus": "0-1\n",
    "/set/c/cpuset.mems": "0\n",
    "/set/c/cpuset.sched_load_balance": "1\n",
    "/set/c/cpuset.sched_relax_domain_level": "-1\n",
    "/blk/c/blkio.throttle.io_serviced": "Total 0\n",
    "/blk/c/blkio.throttle.io_service_bytes_recursive": "254:0 Read 786432\n254:0 Write 0\nTotal 786432\n",
    "/blk/c/blkio.throttle.io_serviced_recursive": "254:0 Read 30\nTotal 30\n",
    "/huge/c/hugetlb.2MB.usage_in_bytes": "2097152\n",
    "/huge/c/hugetlb.2MB.failcnt": "3\n",
  };
  const paths = ["/cpu/c", "/acct/c", "/mem/c", "/pids/c", "/set/c", "/blk/c", "/huge/c"];
  const none = { limit: 0n, failcnt: 0n };
  assertEquals(readStats(source(files, paths, ["2MB", "1GB"])), {
    cpu: {
      usage: {
        total: 8712378n,
        percpu: [7252502n, 1459876n],
        percpu_kernel: [8000000n, 0n],
        percpu_user: [0n, 5n],
        kernel: 40_000_000n,
        user: 30_000_000n,
      },
      throttling: { periods: 5n, throttledTime: 7n },
    },
    cpuset: {
      cpus: [0n, 1n],
      mems: [0n],
      cpu_exclusive: 0n,
      mem_hardwall: 0n,
      mem_exclusive: 0n,
      memory_migrate: 0n,
      memory_spread_page: 0n,
      memory_spread_slab: 0n,
      memory_pressure: 0n,
      sched_load_balance: 1n,
      sched_relax_domain_level: -1n,
    },
    memory: {
      cache: 786432n,
      usage: { limit: 9223372036854771712n, usage: 1576960n, max: 2244608n, failcnt: 2n },
      swap: none,
      kernel: none,
      kernelTCP: none,
      raw: { cache: 786432n, rss: 0n },
    },
    pids: { current: 1n },
    blkio: {
      ioServiceBytesRecursive: [{ major: 254n, op: "Read", value: 786432n }, { major: 254n, op: "Write" }],
      ioServicedRecursive: [{ major: 254n, op: "Read", value: 30n }],
    },
    hugetlb: { "2MB": { usage: 2097152n, failcnt: 3n } },
  });
});

Deno.test("readStats of v2: in v1's words, with the pressure", () => {
  const files = {
    "/c/cpu.stat": "usage_usec 100\nuser_usec 60\nsystem_usec 40\nnr_periods 2\nnr_throttled 1\nthrottled_usec 9\n",
    "/c/cpu.pressure":
      "some avg10=1.50 avg60=0.00 avg300=0.00 total=77\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
    "/c/memory.current": "1000\n",
    "/c/memory.peak": "2000\n",
    "/c/memory.max": "5000\n",
    "/c/memory.swap.current": "10\n",
    "/c/memory.swap.max": "100\n",
    "/c/memory.stat": "anon 5\nfile 600\n",
    "/c/memory.events": "low 0\nmax 4\noom_kill 0\n",
    "/c/pids.current": "3\n",
    "/c/pids.max": "20\n",
    "/c/io.stat": "8:16 rbytes=1459200 wbytes=0 rios=192 wios=0 dbytes=5 dios=1\n",
    "/c/hugetlb.2MB.current": "0\n",
    "/c/hugetlb.2MB.events": "max 6\n",
  };
  const { cpu, memory, pids, blkio, hugetlb } = readStats(source(files, ["/c"], ["2MB"]));
  assertEquals(cpu, {
    usage: { total: 100_000n, kernel: 40_000n, user: 60_000n },
    throttling: { periods: 2n, throttledPeriods: 1n, throttledTime: 9000n },
    psi: {
      some: { avg10: 1.5, avg60: 0, avg300: 0, total: 77n },
      full: { avg10: 0, avg60: 0, avg300: 0, total: 0n },
    },
  });
  assertEquals(memory, {
    cache: 600n,
    usage: { limit: 5000n, usage: 1000n, max: 2000n, failcnt: 4n },
    swap: { limit: 5100n, usage: 1010n, failcnt: 0n },
    kernel: { limit: 0n, failcnt: 0n },
    kernelTCP: { limit: 0n, failcnt: 0n },
    raw: { anon: 5n, file: 600n },
  });
  assertEquals(pids, { current: 3n, limit: 20n });
  assertEquals(blkio, {
    ioServiceBytesRecursive: [{ major: 8n, minor: 16n, op: "Read", value: 1459200n }, {
      major: 8n,
      minor: 16n,
      op: "Write",
    }],
    ioServicedRecursive: [{ major: 8n, minor: 16n, op: "Read", value: 192n }, { major: 8n, minor: 16n, op: "Write" }],
  });
  assertEquals(hugetlb, { "2MB": { failcnt: 6n } });
  const open = readStats(source({ ...files, "/c/memory.max": "max\n", "/c/memory.swap.max": "max\n" }, ["/c"]));
  assertEquals((open["memory"] as Record<string, Record<string, bigint>>)["swap"]!["limit"], NO_LIMIT);
});

Deno.test("formatStats writes numbers of any size as numbers", () => {
  assertEquals(
    formatStats({ limit: NO_LIMIT, share: 1.5, none: null }),
    `{"limit":${NO_LIMIT},"share":1.5,"none":null}`,
  );
});

Deno.test("readStats of no cgroup at all is empty, and has every part that runc always has", () => {
  const line = formatStats(readStats(source({}, [])));
  assertEquals(Object.keys(JSON.parse(line)), ["cpu", "cpuset", "memory", "pids", "blkio", "hugetlb"]);
});

Deno.test("readRdtStats tells of the class's part beside the whole", () => {
  const files: Readonly<Record<string, string>> = {
    "/r/schemata": "    L3:0=fffff\n    MB:0=100\n",
    "/r/web/schemata": "    L3:0=f\n    MB:0=50\n",
    "/r/info/L3/cbm_mask": "fffff\n",
    "/r/info/L3/min_cbm_bits": "1\n",
    "/r/info/L3/num_closids": "16\n",
    "/r/info/MB/min_bandwidth": "10\n",
    "/m/mon_L3_00/llc_occupancy": "4096\n",
  };
  const readText = (path: string) => files[path];
  assertEquals(readRdtStats({ mount: "/r", directory: "/r/web", monitors: ["/m/mon_L3_00"], readText }), {
    l3_cache_info: { cbm_mask: "fffff", min_cbm_bits: 1n, num_closids: 16n },
    l3_cache_schema_root: "L3:0=fffff",
    l3_cache_schema: "L3:0=f",
    mem_bw_info: { min_bandwidth: 10n },
    mem_bw_schema_root: "MB:0=100",
    mem_bw_schema: "MB:0=50",
    cmt_stats: [{ llc_occupancy: 4096n }],
  });
  assertEquals(readRdtStats({ mount: "/r", directory: "/r/none", monitors: [], readText }), {});
});
