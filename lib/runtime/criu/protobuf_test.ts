import { assertEquals, assertThrows } from "@std/assert";
import { encodeMessage, Message } from "./protobuf.ts";

Deno.test("encodeMessage writes what the description of the encoding has as examples", () => {
  assertEquals([...encodeMessage([[1, 150]])], [0x08, 0x96, 0x01]);
  assertEquals([...encodeMessage([[2, "testing"]])], [0x12, 0x07, ...new TextEncoder().encode("testing")]);
  assertEquals([...encodeMessage([[3, encodeMessage([[1, 150]])]])], [0x1a, 0x03, 0x08, 0x96, 0x01]);
  assertEquals([...encodeMessage([[1, -2]])], [0x08, 0xfe, ...Array(8).fill(0xff), 0x01]);
  assertEquals([...encodeMessage([[1, true], [2, undefined], [3, false]])], [0x08, 1, 0x18, 0]);
});

Deno.test("Message reads what encodeMessage writes, and passes over what it does not know", () => {
  const message = new Message(
    Uint8Array.from([
      ...encodeMessage([[1, -1], [20, "a"], [20, "b"], [3, encodeMessage([[7, 2 ** 40]])]]),
      0x25,
      1,
      2,
      3,
      4,
    ]),
  );
  assertEquals([message.number(1), message.text(20), message.message(3)?.number(7)], [-1, "b", 2 ** 40]);
  assertEquals([message.number(20), message.text(1), message.message(9)], [undefined, undefined, undefined]);
  for (const bytes of [[0x08], [0x12, 5, 1], [0x0b]]) {
    assertThrows(() => new Message(Uint8Array.from(bytes)), RangeError);
  }
});
