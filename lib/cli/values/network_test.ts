import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../base/errors.ts";
import type { PortOption } from "../../spec/network.ts";
import { findCommand } from "../commands.ts";
import { makeExampleHost } from "../host_example.ts";
import { parseWords } from "../words.ts";
import { readNetworkFlags, readPublish } from "./network.ts";

Deno.test("readPublish understands docker's forms", () => {
  const table: [string, Partial<PortOption> & { containerPort: number }][] = [
    ["80", { containerPort: 80 }],
    ["8080:80", { hostPorts: [8080, 8080], containerPort: 80 }],
    ["8080:53/udp", { protocol: "udp", hostPorts: [8080, 8080], containerPort: 53 }],
    ["127.0.0.1:8080:80", { hostAddress: "127.0.0.1", hostPorts: [8080, 8080], containerPort: 80 }],
    ["127.0.0.1::80", { hostAddress: "127.0.0.1", containerPort: 80 }],
    ["127.0.0.1:80", { hostAddress: "127.0.0.1", containerPort: 80 }],
    ["0.0.0.0:8080:80", { hostPorts: [8080, 8080], containerPort: 80 }],
    ["[fd00::1]:8080:80/TCP", { hostAddress: "fd00::1", hostPorts: [8080, 8080], containerPort: 80 }],
    ["8000-8010:80", { hostPorts: [8000, 8010], containerPort: 80 }],
  ];
  for (const [text, expected] of table) assertEquals(readPublish(text), [{ protocol: "tcp", ...expected }], text);
  assertEquals(readPublish("8000-8001:80-81/udp"), [
    { protocol: "udp", hostPorts: [8000, 8000], containerPort: 80 },
    { protocol: "udp", hostPorts: [8001, 8001], containerPort: 81 },
  ]);
  assertEquals(readPublish("80-81").length, 2);
});

Deno.test("readPublish refuses what makes no sense", () => {
  for (
    const text of [
      "",
      ":",
      "80:",
      "a:b",
      "80:90:100",
      "0:80",
      "80:70000",
      "9-8:80",
      "1.2.3:80:80",
      "80/",
      "80-82:80-81",
      "80:80/sctp",
      "[::1]:80:80",
    ]
  ) {
    assertThrows(() => readPublish(text), UsageError, undefined, text);
  }
});

function read(...argv: string[]): ReturnType<typeof readNetworkFlags> {
  return readNetworkFlags(parseWords(findCommand("run")!, [...argv, "image"]), makeExampleHost());
}

Deno.test("readNetworkFlags: a wish makes the default network one that can fulfil it", () => {
  assertEquals(read(), { network: "none" });
  assertEquals(read("--network", "host"), { network: "host" });
  assertEquals(read("--network", "default"), { network: { kind: "network", name: "bridge" } });
  assertEquals(read("--net", "container:web"), { network: { kind: "container", id: "web" } });
  assertEquals(read("--network", "ns:/run/netns/x"), { network: { kind: "path", path: "/run/netns/x" } });
  assertEquals(read("-p", "80").network, { kind: "network", name: "bridge" });
  assertEquals(read("--network", "back", "--ip", "10.0.0.5", "-P", "--network-alias", "db").networkWishes, {
    ports: [],
    publishAll: true,
    ip: "10.0.0.5",
    aliases: ["db"],
  });
  for (const other of ["none", "host", "container:web", "ns:/x"]) {
    assertThrows(
      () => read("--network", other, "--ip", "10.0.0.5"),
      UsageError,
      `--ip and --network ${other} contradict`,
    );
  }
});
