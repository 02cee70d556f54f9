import { assertEquals, assertThrows } from "@std/assert";
import { marshal } from "./marshal.ts";
import { decodeMessage, encodeMessage, type Message } from "./message.ts";
import { unmarshal } from "./unmarshal.ts";
import { splitSignature, type Value } from "./value.ts";

/** Bytes from numbers and texts. */
function bytes(...parts: readonly (number | string)[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(
    parts.flatMap((part) => typeof part === "number" ? [part] : [...new TextEncoder().encode(part)]),
  );
}

const HELLO: Message = {
  type: 1,
  serial: 1,
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
  member: "Hello",
  body: [],
};

/** Worked out by hand from the specification. */
// deno-fmt-ignore
const HELLO_BYTES = bytes(
  "l", 1, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 109, 0, 0, 0,
  1, 1, "o", 0, 21, 0, 0, 0, "/org/freedesktop/DBus", 0, 0, 0,
  2, 1, "s", 0, 20, 0, 0, 0, "org.freedesktop.DBus", 0, 0, 0, 0,
  3, 1, "s", 0, 5, 0, 0, 0, "Hello", 0, 0, 0,
  6, 1, "s", 0, 20, 0, 0, 0, "org.freedesktop.DBus", 0, 0, 0, 0,
);

Deno.test("encodeMessage writes the first call on a bus as the specification has it", () => {
  assertEquals(encodeMessage(HELLO), HELLO_BYTES);
});

Deno.test("decodeMessage reads it, says how long it is, and waits for what is still to come", () => {
  const two = bytes(...HELLO_BYTES, ...HELLO_BYTES);
  assertEquals(decodeMessage(two), { message: HELLO, size: HELLO_BYTES.length });
  for (let length = 0; length < HELLO_BYTES.length; length++) {
    assertEquals(decodeMessage(HELLO_BYTES.subarray(0, length)), undefined);
  }
});

Deno.test("decodeMessage reads numbers of the other order too", () => {
  // deno-fmt-ignore
  const signal = bytes(
    "B", 4, 0, 1, 0, 0, 0, 4, 0, 0, 0, 7, 0, 0, 0, 23,
    3, 1, "s", 0, 0, 0, 0, 3, "Hit", 0, 0, 0, 0, 0,
    8, 1, "g", 0, 1, "u", 0, 0,
    0, 0, 1, 2,
  );
  assertEquals(decodeMessage(signal)?.message, { type: 4, serial: 7, member: "Hit", signature: "u", body: [258] });
});

Deno.test("decodeMessage refuses what is none", () => {
  const long = HELLO_BYTES.slice();
  long[7] = 0xff;
  assertThrows(() => decodeMessage(long), RangeError, "a message of");
  const wild = HELLO_BYTES.slice();
  wild[20] = 0xff;
  assertThrows(() => decodeMessage(wild), RangeError, "after the end");
});

Deno.test("splitSignature finds complete types", () => {
  assertEquals(splitSignature("sba(sv)a{sv}aat"), ["s", "b", "a(sv)", "a{sv}", "aat"]);
  for (const bad of ["z", "(s", "a", "()", "a{s"]) assertThrows(() => splitSignature(bad), RangeError);
});

Deno.test("marshal pads each type to its own size", () => {
  // deno-fmt-ignore
  assertEquals(marshal("yqta(sv)", [1, 2, 3n, [["A", { signature: "b", value: true }]]]), bytes(
    1, 0, 2, 0, 0, 0, 0, 0,
    3, 0, 0, 0, 0, 0, 0, 0,
    16, 0, 0, 0, 0, 0, 0, 0,
    1, 0, 0, 0, "A", 0, 1, "b", 0, 0, 0, 0, 1, 0, 0, 0,
  ));
  // The padding before the first element is there for none as well, and is not counted.
  assertEquals(marshal("at", [[]]), bytes(0, 0, 0, 0, 0, 0, 0, 0));
  assertThrows(() => marshal("s", []), RangeError);
  assertThrows(() => marshal("s", ["a\0b"]), RangeError, "NUL");
});

Deno.test("unmarshal gives what marshal was given", () => {
  const values: Value[] = [
    255,
    true,
    -2,
    65535,
    -3,
    4294967295,
    -(1n << 63n),
    (1n << 64n) - 1n,
    0.5,
    "wört",
    "/a/b",
    "a(st)",
    { signature: "ay", value: [1, 2, 3] },
    [["/dev/block/8:0", 5n], ["/dev/block/8:16", 6n]],
    [["key", { signature: "as", value: ["x", ""] }]],
  ];
  const signature = "ybnqiuxtdsogva(st)a{sv}";
  assertEquals(unmarshal(signature, { bytes: marshal(signature, values), littleEndian: true }), values);
});

Deno.test("unmarshal never reads what is not there", () => {
  const full = marshal("sasv", ["text", ["a", "b"], { signature: "t", value: 1n }]);
  for (let length = 0; length < full.length; length++) {
    assertThrows(() => unmarshal("sasv", { bytes: full.subarray(0, length), littleEndian: true }), RangeError);
  }
});
