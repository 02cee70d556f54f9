/**
 * Nothing becomes part of a path that is no digest.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { blobPath, isDigest, readDigest } from "./content_digest.ts";
import { JsonPlace } from "./json_place.ts";

const HEX = "0123456789abcdef".repeat(4);
const AT = new JsonPlace("the document", "do something", "$.digest");

Deno.test("readDigest takes sha256 and sha512 of the right length", () => {
  for (const digest of [`sha256:${HEX}`, `sha512:${HEX}${HEX}`]) {
    assertEquals(readDigest(digest, AT), digest as ReturnType<typeof readDigest>);
    assertEquals(isDigest(digest), true);
  }
  assertEquals(blobPath(readDigest(`sha256:${HEX}`, AT)), `blobs/sha256/${HEX}`);
});

Deno.test("readDigest refuses all else, naming the place", () => {
  const bad: readonly [unknown, string][] = [
    [undefined, "a string is wanted"],
    ["", "is no digest"],
    [HEX, "is no digest"],
    ["sha256:", "is no digest"],
    [`sha256:../${HEX}`, "is no digest"],
    [`sha256:${HEX}/../../x`, "is no digest"],
    [`sha256:${HEX}\n`, "is no digest"],
    [`sha256:${HEX.slice(1)}`, "sha256 has 64 digits"],
    [`sha256:${HEX.toUpperCase()}`, "sha256 has 64 digits"],
    [`sha512:${HEX}`, "sha512 has 128 digits"],
    [`md5:${HEX.slice(32)}`, "digests of md5 are not known here"],
    [`constructor:${HEX}`, "digests of constructor are not known here"],
  ];
  for (const [value, message] of bad) {
    const error = assertThrows(() => readDigest(value, AT), PaddockError, message);
    assertEquals(error.message.startsWith("the document: $.digest: "), true, error.message);
    assertEquals(isDigest(String(value)), false);
  }
});
