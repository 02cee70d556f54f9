import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows } from "@std/assert";
import { PaddockError } from "./errors.ts";
import { checkName, isName, makeId } from "./names.ts";

Deno.test("checkName takes docker's names and nothing that could lead out of a directory", () => {
  for (const name of ["web", "w", "Web_1.2-b", "0", "a".repeat(128)]) assertEquals(checkName(name), name);
  for (const name of ["", ".", "..", "../x", "a/b", "-x", "_x", ".x", "a b", "a\n", "a\0", "ä", "a".repeat(129)]) {
    assertThrows(() => checkName(name), PaddockError, "is no name");
  }
});

Deno.test("makeId gives twelve hexadecimal digits that are a name and differ", () => {
  const id = makeId();
  assertMatch(id, /^[0-9a-f]{12}$/);
  assert(isName(id));
  assertNotEquals(id, makeId());
});
