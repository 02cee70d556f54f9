import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "./errors.ts";
import {
  formatSize,
  formatSizeExact,
  parseCpus,
  parseDuration,
  parseNumberList,
  parseSize,
  parseSizeOrUnlimited,
} from "./sizes.ts";

Deno.test("parseSize reads docker's and binary suffixes in either case", () => {
  const table: [string, number][] = [
    ["0", 0],
    ["512", 512],
    ["512b", 512],
    ["4k", 4096],
    ["100m", 104857600],
    ["100M", 104857600],
    ["100MB", 104857600],
    ["64KiB", 65536],
    ["1.5g", 1610612736],
    ["1 GiB", 1073741824],
    ["2t", 2 * 1024 ** 4],
  ];
  for (const [text, bytes] of table) assertEquals(parseSize(text), bytes, text);
});

Deno.test("parseSize refuses what is no size, negative or beyond exact numbers", () => {
  for (
    const text of ["", "m", "-5", "-1", "1x", "1kk", "1ib", "0x10", "1e3", "NaN", "Infinity", ".5", "9999999t", "1 2"]
  ) {
    assertThrows(() => parseSize(text), PaddockError, `'${text}'`);
  }
});

Deno.test("parseSizeOrUnlimited takes -1 and no other negative number", () => {
  assertEquals(parseSizeOrUnlimited("-1"), -1);
  assertEquals(parseSizeOrUnlimited("1k"), 1024);
  assertThrows(() => parseSizeOrUnlimited("-2"), PaddockError);
});

Deno.test("formatSize is short, formatSizeExact is read back", () => {
  const table: [number, string, string][] = [
    [0, "0 B", "0"],
    [1000, "1000 B", "1000"],
    [1024, "1 KiB", "1k"],
    [1536, "1.5 KiB", "1536"],
    [104857600, "100 MiB", "100m"],
    [1610612736, "1.5 GiB", "1536m"],
    [1234567, "1.18 MiB", "1234567"],
  ];
  for (const [bytes, short, exact] of table) {
    assertEquals(formatSize(bytes), short);
    assertEquals(formatSizeExact(bytes), exact);
    assertEquals(parseSize(exact), bytes);
  }
});

Deno.test("parseDuration reads units, sums and signs", () => {
  const table: [string, number][] = [
    ["90", 90],
    ["0", 0],
    ["1.5s", 1.5],
    ["2h45m", 9900],
    ["-1d", -86400],
    ["+1m", 60],
    ["250ms", 0.25],
  ];
  for (const [text, seconds] of table) assertEquals(parseDuration(text), seconds, text);
  for (const text of ["", "h", "1x", "1h30", "--1", "1 h"]) {
    assertThrows(() => parseDuration(text), PaddockError, "duration");
  }
});

Deno.test("parseCpus gives quota and period, and refuses none, too little and too much", () => {
  assertEquals(parseCpus("1.5"), { quota: 150000, period: 100000 });
  assertEquals(parseCpus(".25"), { quota: 25000, period: 100000 });
  assertEquals(parseCpus("0.01"), { quota: 1000, period: 100000 });
  for (const text of ["", "0", "0.001", "-1", "two", "1e9", "1e999", "99999999"]) {
    assertThrows(() => parseCpus(text), PaddockError, `'${text}'`);
  }
});

Deno.test("parseNumberList reads ranges, sorts, and refuses what a cpuset would", () => {
  assertEquals(parseNumberList("0-2,7"), [0, 1, 2, 7]);
  assertEquals(parseNumberList("7,0, 1-1,1"), [0, 1, 7]);
  for (const text of ["", ",", "1-", "-1", "a", "3-1", "0-99999999999", "1,,2"]) {
    assertThrows(() => parseNumberList(text), PaddockError, `'${text}'`);
  }
});
