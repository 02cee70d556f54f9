import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { readAnnotations } from "./annotations.ts";
import { parseVariant } from "./variant_text.ts";

Deno.test("parseVariant reads every form of GVariant's text", () => {
  for (
    const [text, signature, value] of [
      ["true", "b", true],
      ["5", "i", 5],
      ["-0x10", "i", -16],
      ["1.5", "d", 1.5],
      ["uint64 18446744073709551615", "t", (1n << 64n) - 1n],
      ["int64 -1", "x", -1n],
      ["byte 0xff", "y", 255],
      ["double 3", "d", 3],
      ["'it\\'s \\u00e4'", "s", "it's ä"],
      ['"two words"', "s", "two words"],
      ["objectpath '/a'", "o", "/a"],
      ["['a', 'b',]", "as", ["a", "b"]],
      ["[uint32 1, 2]", "au", [1, 2]],
      ["@as []", "as", []],
      ["@a(st) [('/dev/sda', 5)]", "a(st)", [["/dev/sda", 5n]]],
      ["('a', true)", "(sb)", ["a", true]],
      ["{'a': <1>}", "a{sv}", [["a", { signature: "i", value: 1 }]]],
      [" [ [1] , [ ] ] ", "aai", [[1], []]],
    ] as const
  ) {
    assertEquals(parseVariant(text), { signature, value } as unknown as ReturnType<typeof parseVariant>, text);
  }
});

Deno.test("parseVariant refuses what is none, and says what it met", () => {
  for (
    const [text, reason] of [
      ["", "nothing is understood"],
      ["word", "'word' is no type"],
      ["1 2", "'2' is left over"],
      ["'open", "no end"],
      ["[1, 'a']", "not of the type 'i'"],
      ["[]", "needs its type"],
      ["byte 256", "beyond the type 'y'"],
      ["uint64 -1", "beyond"],
      ["uint64 1.5", "not of the type"],
      ["(1", "a ')' is missing"],
      ["@zz 1", "no signature"],
      ["5 s", "left over"],
    ] as const
  ) {
    assertThrows(() => parseVariant(text), PaddockError, reason, text);
  }
});

Deno.test("readAnnotations takes the properties, and seconds for microseconds", () => {
  assertEquals(
    readAnnotations({
      "org.systemd.property.TimeoutStopUSec": "uint64 123",
      "other": "x",
      "org.systemd.property.RuntimeMaxSec": "2",
      "org.systemd.property.TimeoutStopSec": "1.5",
      "org.systemd.property.CollectMode": "'inactive-or-failed'",
    }),
    [
      { name: "TimeoutStopUSec", signature: "t", value: 123n },
      { name: "RuntimeMaxUSec", signature: "t", value: 2_000_000n },
      { name: "TimeoutStopUSec", signature: "t", value: 1_500_000n },
      { name: "CollectMode", signature: "s", value: "inactive-or-failed" },
    ],
  );
});

Deno.test("readAnnotations names the one that is none", () => {
  for (
    const [key, text] of [["Memory-Max", "uint64 1"], ["Ab", "true"], ["MemoryMax", "uint64"], ["StopSec", "'a'"], [
      "StopSec",
      "-1",
    ]] as const
  ) {
    const name = `org.systemd.property.${key}`;
    assertThrows(() => readAnnotations({ [name]: text }), PaddockError, `annotations['${name}']`);
  }
});
