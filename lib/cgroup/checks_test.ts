import { assertEquals, assertStringIncludes } from "@std/assert";
import type { Resources } from "../spec/config.ts";
import { checkResources } from "./checks.ts";

const MIB = 1024 ** 2;

/** What is wrong, and words of the one fault that must be told of it. */
const WRONG: readonly (readonly [Resources, string])[] = [
  [{ memory: { limit: 1000 } }, "too little to start anything"],
  [{ memory: { limit: -5 } }, "no number of bytes"],
  [{ memory: { limit: 1.5 } }, "no number of bytes"],
  [{ memory: { swap: 100 * MIB } }, "needs a limit of memory"],
  [{ memory: { limit: 100 * MIB, swap: 50 * MIB } }, "less than memory alone"],
  [{ memory: { limit: 100 * MIB, reservation: 200 * MIB } }, "more than the limit"],
  [{ memory: { swappiness: 101 } }, "0 to 100"],
  [{ cpu: { shares: 1 } }, "2 to 262144"],
  [{ cpu: { quota: 999 } }, "less than the kernel takes"],
  [{ cpu: { period: 2_000_000 } }, "1000 to 1000000 us"],
  [{ cpu: { burst: 10 } }, "more than the quota"],
  [{ cpu: { idle: 2 } }, "cpu.idle is 0 or 1"],
  [{ cpu: { cpus: "3-1" } }, "--cpuset-cpus"],
  [{ cpu: { mems: "a" } }, "--cpuset-mems"],
  [{ pids: { limit: -2 } }, "--pids-limit"],
  [{ blockIO: { weight: 5 } }, "10 to 1000"],
  [{ blockIO: { weightDevice: [{ major: 8, minor: 0, weight: 1001 }] } }, "disk 8:0"],
  [{ blockIO: { throttleReadBpsDevice: [{ major: 8, minor: 0, rate: -2 }] } }, "whole number"],
  [{ hugepageLimits: [{ pageSize: "2mb", limit: 0 }] }, "size of huge pages"],
  [{ unified: { "../memory.max": "1" } }, "no file of limits"],
  [{ unified: { "cgroup.kill": "1" } }, "no file of limits"],
  [{ unified: { "cgroup.procs": "1" } }, "no file of limits"],
  [{ devices: [{ allow: true, type: "x" }] }, "the type is a, b or c"],
  [{ devices: [{ allow: true, access: "rx" }] }, "of r, w and m"],
  [{ devices: [{ allow: true, major: 5000 }] }, "0 to 4095"],
];

Deno.test("checkResources names each thing that makes no sense, once", () => {
  for (const [resources, words] of WRONG) {
    const faults = checkResources(resources);
    assertEquals(faults.length, 1, `${JSON.stringify(resources)}: ${faults.join("; ")}`);
    assertStringIncludes(faults[0]!, words);
  }
});

Deno.test("checkResources names all faults at once", () => {
  assertEquals(checkResources({ memory: { limit: 1 }, cpu: { shares: 1 }, pids: { limit: -9 } }).length, 3);
});

Deno.test("checkResources finds nothing wrong with what is usual, nor with nothing said", () => {
  const usual: Resources = {
    memory: { limit: 100 * MIB, swap: 100 * MIB, reservation: 50 * MIB, swappiness: 0 },
    cpu: { shares: 1024, quota: 150_000, period: 100_000, cpus: "0-3,7", mems: "0", burst: 1000, idle: 0 },
    pids: { limit: -1 },
    blockIO: { weight: 500, throttleWriteBpsDevice: [{ major: 8, minor: 0, rate: 1048576 }] },
    hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
    unified: { "memory.high": "100M", "cgroup.max.depth": "3" },
    devices: [{ allow: false }, { allow: true, type: "c", major: 10, minor: -1, access: "rw" }],
  };
  for (const resources of [usual, {}, { memory: { limit: -1, swap: -1 } }, { cpu: { quota: -1, shares: 0 } }]) {
    assertEquals(checkResources(resources), []);
  }
});
