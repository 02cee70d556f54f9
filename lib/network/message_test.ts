import { assertEquals, assertThrows } from "@std/assert";
import {
  attribute,
  cText,
  message,
  nested,
  placeOfAttribute,
  readAttributes,
  readText,
  readU32,
  u32,
} from "./message.ts";

const bytes = message(
  { type: 16, flags: 5, sequence: 7 },
  u32(1),
  attribute(3, cText("lo")),
  nested(18, attribute(1, cText("veth")), attribute(2, u32(9), attribute(28, u32(0x01020304)))),
);

Deno.test("message has its length, type, flags and sequence before its parts, each filled up to four bytes", () => {
  assertEquals([...bytes.subarray(0, 28)], [
    ...[60, 0, 0, 0, 16, 0, 5, 0, 7, 0, 0, 0, 0, 0, 0, 0],
    ...[1, 0, 0, 0, 7, 0, 3, 0, 108, 111, 0, 0],
  ]);
  assertEquals(bytes.length, 60);
});

Deno.test("readAttributes gives values by type, whether a type says that it is nested or not", () => {
  const found = readAttributes(bytes, 20);
  assertEquals([...found.keys()], [3, 18]);
  assertEquals(readText(found.get(3)!.value), "lo");
  assertEquals(readU32(undefined), undefined);
});

Deno.test("readAttributes passes over what leaves the message", () => {
  for (const [length, count] of [[60, 2], [59, 1], [30, 1], [26, 0], [20, 0]] as const) {
    assertEquals(readAttributes(bytes.subarray(0, length), 20).size, count, String(length));
  }
  assertEquals(readAttributes(Uint8Array.of(0, 0, 1, 0, 4, 0, 2, 0)).size, 0);
});

Deno.test("placeOfAttribute finds what stands inside of others", () => {
  const at = placeOfAttribute(bytes, [[18], [2, 4], [28]], 20);
  assertEquals(readU32(bytes.subarray(at)), 0x01020304);
  assertThrows(() => placeOfAttribute(bytes, [[18], [5]], 20), RangeError, "no attribute 5");
});
