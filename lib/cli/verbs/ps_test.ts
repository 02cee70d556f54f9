import { assertEquals } from "@std/assert";
import type { SeenContainer } from "../../state/container.ts";
import { formatContainers } from "./ps.ts";

const NOW = Date.parse("2030-01-01T12:00:00Z");
const FOUND: readonly SeenContainer[] = [
  {
    id: "web",
    directory: "/run/paddock/web",
    status: "running",
    pid: 4242,
    record: {
      id: "web",
      name: "web",
      created: "2030-01-01T11:56:30Z",
      image: "./rootfs",
      command: ["httpd", "-f", "a b"],
      cgroupPaths: [],
      keep: true,
    },
  },
  {
    id: "job",
    directory: "/run/paddock/job",
    status: "stopped",
    pid: undefined,
    record: {
      id: "job",
      created: "2029-12-25T12:00:00Z",
      image: "evil\x1b[2J.tar",
      command: ["sh", "-c", "a very long command line that goes on and on"],
      cgroupPaths: [],
      keep: true,
      exit: { code: 137, signal: 9, oom: true, at: "2029-12-25T12:00:01Z" },
    },
  },
  { id: "half", directory: "/run/paddock/half", status: "creating", pid: undefined, record: undefined },
];

Deno.test("formatContainers makes a table that no image's name can break", () => {
  assertEquals(
    formatContainers(FOUND, "table", NOW),
    [
      "NAME  IMAGE            COMMAND                         CREATED    STATUS",
      "web   ./rootfs         httpd -f 'a b'                  3 min ago  running",
      "job   evil\\x1b[2J.tar  sh -c 'a very long command li…  7 d ago    stopped (out of memory, exit code 137)",
      "half                                                              creating",
      "",
    ].join("\n"),
  );
});

Deno.test("formatContainers gives names alone, and JSON with the status", () => {
  assertEquals(formatContainers(FOUND, "quiet", NOW), "web\njob\nhalf\n");
  const parsed = JSON.parse(formatContainers(FOUND, "json", NOW));
  assertEquals(parsed.map(({ id, status }: Record<string, string>) => [id, status]), [
    ["web", "running"],
    ["job", "stopped"],
    ["half", "creating"],
  ]);
  assertEquals(parsed[1].exit.oom, true);
  assertEquals(parsed.map(({ pid }: { pid?: number }) => pid), [4242, undefined, undefined]);
});
