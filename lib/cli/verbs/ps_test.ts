import { assertEquals } from "@std/assert";
import type { ContainerView } from "../../runtime/container_view.ts";
import { type Form, formatContainers } from "./ps.ts";

const NOW = Date.parse("2030-01-01T12:00:00Z");
const FOUND: readonly ContainerView[] = [
  {
    id: "web",
    directory: "/run/paddock/web",
    status: "running",
    state: "paused",
    startedAt: "2030-01-01T11:57:00Z",
    pid: 4242,
    record: {
      id: "web",
      name: "web",
      created: "2030-01-01T11:56:30Z",
      image: "./rootfs",
      command: ["httpd", "-f", "a b"],
      imageConfig: { labels: { "com.example.tier": "front" } },
      cgroupPaths: [],
      keep: true,
    },
  },
  {
    id: "job",
    directory: "/run/paddock/job",
    status: "stopped",
    state: "exited",
    pid: undefined,
    record: {
      id: "job",
      created: "2029-12-25T12:00:00Z",
      image: "evil\x1b[2J\t.tar",
      command: ["sh", "-c", "a very long command line that goes on and on"],
      cgroupPaths: [],
      keep: true,
      exit: { code: 137, signal: 9, oom: true, at: "2029-12-25T12:00:01Z" },
    },
  },
  {
    id: "half",
    directory: "/run/paddock/half",
    status: "creating",
    state: "created",
    pid: undefined,
    record: undefined,
  },
];

function show(form: Partial<Form>): string {
  return formatContainers(FOUND, { kind: "format", whole: false, ...form }, NOW);
}

Deno.test("formatContainers makes docker's table, that no image's name can break", () => {
  assertEquals(
    show({}),
    [
      "CONTAINER ID  IMAGE              COMMAND                         CREATED    STATUS                               PORTS  NAMES",
      "web           ./rootfs           httpd -f 'a b'                  3 min ago  Up 3 min (Paused)                           web",
      "job           evil\\x1b[2J\\t.tar  sh -c 'a very long command li…  7 d ago    Exited (137) 6 d ago: out of memory         job",
      "half                                                                        Created                                     half",
      "",
    ].join("\n"),
  );
});

Deno.test("formatContainers gives ids alone, and JSON with the status", () => {
  assertEquals(show({ kind: "quiet" }), "web\njob\nhalf\n");
  const parsed = JSON.parse(show({ kind: "json" }));
  assertEquals(parsed.map(({ id, status, state }: Record<string, string>) => [id, status, state]), [
    ["web", "running", "paused"],
    ["job", "stopped", "exited"],
    ["half", "creating", "created"],
  ]);
  assertEquals(parsed[1].exit.oom, true);
  assertEquals(parsed.map(({ pid }: { pid?: number }) => pid), [4242, undefined, undefined]);
});

Deno.test("formatContainers fills templates in, with docker's fields and its tables", () => {
  assertEquals(show({ format: "{{.Names}}={{.State}}" }), "web=paused\njob=exited\nhalf=created\n");
  assertEquals(
    show({ format: 'table {{.Names}}\\t{{.Label "com.example.tier"}}' }),
    "NAMES  TIER\nweb    front\njob\nhalf\n",
  );
  assertEquals(JSON.parse(show({ format: "json" }).split("\n")[0]!).Command, "httpd -f 'a b'");
  assertEquals(show({ format: "{{.Command}}", whole: true }).split("\n")[1], FULL);
});

const FULL = "sh -c 'a very long command line that goes on and on'";
