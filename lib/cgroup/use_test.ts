import { assertEquals } from "@std/assert";
import { makeReader, readUse } from "./use.ts";

function source(
  files: Readonly<Record<string, string>>,
): { readonly reader: ReturnType<typeof makeReader>; readonly asked: readonly string[] } {
  const asked: string[] = [];
  const reader = makeReader((path) => files[path], (path) => (asked.push(path), Object.hasOwn(files, path)));
  return { reader, asked };
}

Deno.test("readUse counts what v2 counts", () => {
  const { reader } = source({
    "/c/p/a/cpu.stat": "usage_usec 2500\nuser_usec 1\n",
    "/c/p/a/memory.current": "5000\n",
    "/c/p/a/memory.stat": "anon 1\ninactive_file 1000\n",
    "/c/p/a/memory.max": "max\n",
    "/c/p/a/memory.swap.current": "7\n",
    "/c/p/a/io.stat": "8:16 rbytes=10 wbytes=20 rios=1 wios=1\n8:0 rbytes=1 wbytes=2 rios=1 wios=1\n",
    "/c/p/a/pids.current": "3\n",
    "/c/p/a/pids.max": "10\n",
    "/c/p/a/cpu.pressure": "some avg10=1.50 avg60=0.00 avg300=0.00 total=9\n",
    "/c/p/a/memory.pressure":
      "some avg10=2.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=1.00 avg60=0.00 avg300=0.00 total=0\n",
  });
  assertEquals(readUse(reader(["/c/p/a"])), {
    cpu: 2_500_000,
    memory: 4000,
    swap: 7,
    ioRead: 11,
    ioWritten: 22,
    pids: 3,
    pidsLimit: 10,
    pressure: { cpu: { some: 1.5 }, memory: { some: 2, full: 1 }, io: undefined },
  });
});

Deno.test("readUse counts what v1's hierarchies count, each asked once for all containers of a parent", () => {
  const own = (id: string, usage: number) => ({
    [`/cpuacct/p/${id}/cpuacct.usage`]: "99\n",
    [`/memory/p/${id}/memory.usage_in_bytes`]: `${usage}\n`,
    [`/memory/p/${id}/memory.stat`]: "inactive_file 9\ntotal_inactive_file 100\n",
    [`/memory/p/${id}/memory.limit_in_bytes`]: "4096000\n",
    [`/memory/p/${id}/memory.memsw.usage_in_bytes`]: `${usage + 50}\n`,
    [`/blkio/p/${id}/blkio.throttle.io_service_bytes_recursive`]: "8:0 Read 5\n8:0 Write 6\n8:0 Total 11\nTotal 11\n",
  });
  const { reader, asked } = source({ ...own("a", 1000), ...own("b", 2000) });
  const paths = (id: string) => [`/cpuacct/p/${id}`, `/memory/p/${id}`, `/blkio/p/${id}`];
  const wanted = { cpu: 99, memory: 900, memoryLimit: 4096000, swap: 50, ioRead: 5, ioWritten: 6 };
  assertEquals(readUse(reader(paths("a"))), wanted);
  const before = asked.length;
  assertEquals(readUse(reader(paths("b"))), { ...wanted, memory: 1900 });
  assertEquals(asked.length, before);
});

Deno.test("readUse of nothing is nothing", () => {
  assertEquals(readUse(source({}).reader([])), {});
});
