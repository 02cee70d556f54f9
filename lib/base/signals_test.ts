import { assertEquals } from "@std/assert";
import { findSignal, nameSignal } from "./signals.ts";

Deno.test("findSignal reads names with and without SIG, numbers and real-time signals", () => {
  const table: [string, number | undefined][] = [
    ["TERM", 15],
    ["SIGTERM", 15],
    ["sigkill", 9],
    ["15", 15],
    ["IOT", 6],
    ["SYS", 31],
    ["RTMIN", 34],
    ["RTMIN+3", 37],
    ["SIGRTMAX-14", 50],
    ["RTMAX", 64],
    ["0", undefined],
    ["32", undefined],
    ["65", undefined],
    ["RTMIN+31", undefined],
    ["RTMAX-31", undefined],
    ["", undefined],
    ["SIG", undefined],
    ["NONE", undefined],
  ];
  for (const [text, number] of table) assertEquals(findSignal(text), number, text);
});

Deno.test("nameSignal and findSignal are each other's reverse", () => {
  for (const number of [1, 2, 9, 15, 17, 31, 34, 40, 64]) assertEquals(findSignal(nameSignal(number)), number);
});
