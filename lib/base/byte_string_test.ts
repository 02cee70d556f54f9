/**
 * Names survive as bytes, and are shown without harm.
 */
import { assertEquals } from "@std/assert";
import { decodeText, encodeText, fromByteString, quoteName, toByteString, toCBytes } from "./byte_string.ts";

Deno.test("byte strings give back every byte", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals(fromByteString(toByteString(all)), all);
  assertEquals(toCBytes("a\xff"), Uint8Array.of(0x61, 0xff, 0));
  assertEquals(decodeText(encodeText("ü∂")), "ü∂");
});

Deno.test("quoteName shows UTF-8 as text and everything else escaped", () => {
  assertEquals(quoteName(encodeText("dir/ü∂")), '"dir/ü∂"');
  assertEquals(quoteName("bad\xffname"), '"bad\\xffname"');
  assertEquals(quoteName('esc\x1b[31m\n"\\'), '"esc\\x1b[31m\\x0a\\"\\\\"');
  assertEquals(quoteName(encodeText("\u202etxt.exe")), '"\\u202etxt.exe"');
  assertEquals(quoteName("n".repeat(300)), `"${"n".repeat(200)}…"`);
});
