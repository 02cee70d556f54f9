import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { type ContainerRecord, formatRecord, parseRecord } from "./record.ts";

const RECORD: ContainerRecord = {
  id: "web",
  name: "web",
  created: "2026-01-02T03:04:05.000Z",
  image: "rootfs.tar.gz",
  command: ["httpd", "-f"],
  dataDir: "/var/lib/paddock/containers/web",
  cgroupPaths: ["/sys/fs/cgroup/paddock/web"],
  keep: true,
  launcherPid: 42,
  exit: { code: 137, signal: 9, oom: true, peakMemory: 4096, at: "2026-01-02T03:04:06.000Z" },
};

Deno.test("parseRecord reads what formatRecord wrote", () => {
  assertEquals(parseRecord(formatRecord(RECORD)), RECORD);
});

Deno.test("parseRecord refuses a record at each field that is missing or wrong, naming it", () => {
  for (const [field, value] of Object.entries({ id: "../x", cgroupPaths: ["/sys/../etc"], keep: 1, exit: {} })) {
    const text = JSON.stringify({ ...RECORD, [field]: value });
    assertThrows(() => parseRecord(text), PaddockError, `'${field}'`);
  }
  assertThrows(() => parseRecord(JSON.stringify({ ...RECORD, created: undefined })), PaddockError, "'created'");
});

Deno.test("parseRecord refuses a data directory with a way up, which gc would follow", () => {
  for (const dataDir of ["/var/..", "/../etc", "relative", "/a/./b", ""]) {
    assertThrows(() => parseRecord(JSON.stringify({ ...RECORD, dataDir })), PaddockError, "'dataDir'");
  }
  assertEquals(parseRecord(JSON.stringify({ ...RECORD, dataDir: "/a/..b" })).dataDir, "/a/..b");
});

Deno.test("parseRecord refuses a record that was cut off at any byte", () => {
  const text = formatRecord(RECORD);
  for (let length = 0; length < text.length - 1; length++) {
    assertThrows(() => parseRecord(text.slice(0, length)), PaddockError);
  }
});
