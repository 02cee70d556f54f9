import { assertEquals, assertThrows } from "@std/assert";
import { DETACH_KEYS, makeSieve, readDetachKeys } from "./detach_keys.ts";
import { UsageError } from "./errors.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);

Deno.test("readDetachKeys knows docker's words", () => {
  assertEquals(readDetachKeys("ctrl-p,ctrl-q"), DETACH_KEYS);
  assertEquals(readDetachKeys("ctrl-@,x,ctrl-[,ctrl-_"), [0, "x".charCodeAt(0), 27, 31]);
  assertEquals(readDetachKeys(""), []);
  for (const bad of ["ctrl-", "ctrl-1", "xy", "ctrl-p,", "ü"]) assertThrows(() => readDetachKeys(bad), UsageError);
});

Deno.test("makeSieve lets everything through but the whole sequence", () => {
  const sieve = makeSieve(DETACH_KEYS);
  assertEquals(text(sieve(bytes("ab\x11c")).bytes), "ab\x11c");
  // Held back, and given when something else follows.
  assertEquals(text(sieve(bytes("d\x10")).bytes), "d");
  assertEquals(text(sieve(bytes("e")).bytes), "\x10e");
  assertEquals(text(sieve(bytes("\x10\x10")).bytes), "\x10");
  const last = sieve(bytes("\x11rest"));
  assertEquals([text(last.bytes), last.leaves], ["", true]);
});

Deno.test("makeSieve without keys never ends", () => {
  assertEquals(makeSieve([])(bytes("\x10\x11")), {
    bytes: bytes("\x10\x11") as Uint8Array<ArrayBuffer>,
    leaves: false,
  });
});
