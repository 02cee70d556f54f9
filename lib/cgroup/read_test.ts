import { assertEquals } from "@std/assert";
import { parseAmount, parseKeyed, readDeath, readUsage } from "./read.ts";

function reader(files: Record<string, string>): (path: string) => string | undefined {
  return (path) => files[path];
}

Deno.test("readDeath reads v2's events, peak and limit", () => {
  const files = {
    "/c/memory.events": "low 0\nhigh 0\nmax 41\noom 3\noom_kill 2\noom_group_kill 0\n",
    "/c/memory.peak": "104857600\n",
    "/c/memory.max": "104857600\n",
  };
  assertEquals(readDeath(["/c"], reader(files)), { oomKills: 2, peakMemory: 104857600, limit: 104857600 });
});

Deno.test("readDeath finds v1's memory among other hierarchies", () => {
  const files = {
    "/m/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    "/m/memory.max_usage_in_bytes": "4096\n",
    "/m/memory.limit_in_bytes": "9223372036854771712\n",
  };
  assertEquals(readDeath(["/pids", "/m"], reader(files)), { oomKills: 1, peakMemory: 4096, limit: undefined });
});

Deno.test("readDeath knows nothing where there is nothing", () => {
  assertEquals(readDeath([], reader({})), { oomKills: 0, peakMemory: undefined, limit: undefined });
});

Deno.test("readUsage counts processor time in microseconds in both versions", () => {
  const v2 = {
    "/c/cpu.stat": "usage_usec 1500\nuser_usec 1000\n",
    "/c/memory.current": "10\n",
    "/c/pids.current": "2\n",
  };
  assertEquals(readUsage(["/c"], reader(v2)), { memory: 10, cpu: 1500, pids: 2 });
  const v1 = { "/a/cpuacct.usage": "1500999\n", "/m/memory.usage_in_bytes": "10\n", "/p/pids.current": "2\n" };
  assertEquals(readUsage(["/m", "/a", "/p"], reader(v1)), { memory: 10, cpu: 1500, pids: 2 });
});

Deno.test("parseKeyed leaves out lines that are no name and number", () => {
  assertEquals(parseKeyed("oom 3\nsome avg10=0.00\n\nx y z\nkill 4"), { oom: 3, kill: 4 });
});

Deno.test("parseAmount takes max, v1's greatest number and nonsense for no number", () => {
  assertEquals(["max\n", "9223372036854771712\n", "", "-1", "0\n", "4096"].map(parseAmount), [
    undefined,
    undefined,
    undefined,
    undefined,
    0,
    4096,
  ]);
});
