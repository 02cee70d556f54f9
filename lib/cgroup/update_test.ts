import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { exampleCgroupV1, exampleCgroupV2, exampleFacts } from "../host/facts_example.ts";
import type { Resources } from "../spec/config.ts";
import { mergeResources, planUpdate, takeBack } from "./update.ts";

const MIB = 1024 ** 2;
const V1 = exampleFacts({ cgroup: exampleCgroupV1() });
const V2 = exampleFacts({ cgroup: exampleCgroupV2() });

/** What is written, "memory.max=1048576", in order. */
function listWrites(before: Resources, changes: Resources, facts = V2): string[] {
  return planUpdate(before, changes, facts).joins.flatMap(({ settings }) =>
    settings.flatMap(({ writes }) =>
      writes.flatMap(({ files }) =>
        files.slice(0, 1).flatMap(({ name, data }) => data.map((line) => `${name}=${line}`))
      )
    )
  );
}

const FULL: Resources = {
  memory: { limit: 100 * MIB, swap: 150 * MIB, reservation: 50 * MIB },
  cpu: { shares: 512, quota: 50_000, period: 100_000, cpus: "0" },
  pids: { limit: 20 },
  devices: [{ allow: false, access: "rwm" }],
};

Deno.test("planUpdate writes what is asked for, and what hangs together with it", () => {
  const table: readonly (readonly [Resources, string[], string[]])[] = [
    [{ pids: { limit: 10 } }, ["pids.max=10"], ["pids.max=10"]],
    [{ pids: { limit: -1 } }, ["pids.max=max"], ["pids.max=max"]],
    [{ cpu: { shares: 1024 } }, ["cpu.weight=100"], ["cpu.shares=1024"]],
    [{ cpu: { quota: 20_000 } }, ["cpu.max=20000 100000"], ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=20000"]],
    [{ cpu: { cpus: "0-1" } }, ["cpuset.cpus=0-1"], ["cpuset.cpus=0-1"]],
    [{ cpu: { idle: 1, shares: 200 } }, ["cpu.idle=1"], ["cpu.idle=1"]],
    [
      { memory: { limit: 120 * MIB } },
      [`memory.max=${120 * MIB}`, `memory.swap.max=${30 * MIB}`, `memory.low=${50 * MIB}`],
      [
        `memory.limit_in_bytes=${120 * MIB}`,
        `memory.memsw.limit_in_bytes=${150 * MIB}`,
        `memory.soft_limit_in_bytes=${50 * MIB}`,
      ],
    ],
    [
      { memory: { limit: -1, reservation: -1 } },
      ["memory.max=max", "memory.swap.max=max", "memory.low=max"],
      ["memory.limit_in_bytes=-1", "memory.memsw.limit_in_bytes=-1", "memory.soft_limit_in_bytes=-1"],
    ],
    [{ devices: [{ allow: true, access: "rwm" }] }, [], []],
    [{ memory: { limit: 0, kernel: 5 }, cpu: { shares: 0, cpus: "" } }, [], []],
  ];
  for (const [changes, v2, v1] of table) {
    assertEquals(listWrites(FULL, changes), v2, JSON.stringify(changes));
    assertEquals(listWrites(FULL, changes, V1), v1, JSON.stringify(changes));
  }
  assertEquals(listWrites({}, { unified: { "memory.high": "5" } }), ["memory.high=5"]);
  assertEquals(listWrites({}, { cpu: { period: 50_000 } }), ["cpu.max=max 50000"]);
});

Deno.test("planUpdate gives what holds afterwards; rules of devices are as they were", () => {
  const changes: Resources = { memory: { limit: 200 * MIB, swap: 200 * MIB }, devices: [], pids: { limit: 5 } };
  assertEquals(planUpdate(FULL, changes, V2).resources, {
    ...FULL,
    memory: { limit: 200 * MIB, swap: 200 * MIB, reservation: 50 * MIB },
    pids: { limit: 5 },
  });
  const pages = (limit: number) => ({ hugepageLimits: [{ pageSize: "2MB", limit }, { pageSize: "1GB", limit: 0 }] });
  assertEquals(mergeResources(pages(1), { hugepageLimits: [{ pageSize: "2MB", limit: 3 }] }).hugepageLimits, [
    { pageSize: "1GB", limit: 0 },
    { pageSize: "2MB", limit: 3 },
  ]);
});

Deno.test("planUpdate refuses what makes no sense together with what holds, and what cannot be had", () => {
  const table: readonly (readonly [Resources, string])[] = [
    [{ memory: { limit: 200 * MIB } }, "less than memory alone"],
    [{ memory: { reservation: 101 * MIB } }, "more than the limit"],
    [{ cpu: { period: 5 } }, "1000 to 1000000"],
    [{ unified: { "cgroup.kill": "1" } }, "no file of limits"],
    [{ memory: { swappiness: 10 } }, "swappiness"],
  ];
  for (const [changes, words] of table) {
    const error = assertThrows(() => planUpdate(FULL, changes, V2), PaddockError);
    assertStringIncludes(error.message, words);
  }
});

Deno.test("takeBack makes of what a file held what has to be written", () => {
  const table: readonly (readonly [file: string, before: string, lines: string[], expected: string[]])[] = [
    ["memory.max", "max\n", ["100"], ["max"]],
    ["cpu.max", "max 100000\n", ["5000 100000"], ["max 100000"]],
    ["cpuset.cpus", "\n", ["0"], ["\n"]],
    ["io.weight", "default 100\n", ["50"], ["100"]],
    ["memory.oom_control", "oom_kill_disable 1\nunder_oom 0\n", ["0"], ["1"]],
    ["io.max", "8:0 rbps=5 wbps=max riops=max wiops=max\n", ["8:0 rbps=9", "8:16 wbps=1"], [
      "8:0 rbps=5 wbps=max riops=max wiops=max",
      "8:16 rbps=max wbps=max riops=max wiops=max",
    ]],
    ["blkio.throttle.read_bps_device", "8:0 10\n", ["8:0 20", "8:1 20"], ["8:0 10", "8:1 0"]],
  ];
  for (const [file, before, lines, expected] of table) assertEquals(takeBack(file, before, lines), expected, file);
});
