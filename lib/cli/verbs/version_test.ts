import { assertEquals } from "@std/assert";
import { formatVersion } from "./version.ts";

Deno.test("formatVersion says in one line what this is", () => {
  assertEquals(
    formatVersion({ version: "1.2.3", kind: "packed", revision: "0123456789abcdef", runtime: "2.9.6" }, "x86_64"),
    "paddock 1.2.3 (x86_64, one file with its runtime packed in of 0123456789ab, Deno 2.9.6)",
  );
  assertEquals(
    formatVersion({ version: "1.2.3", kind: "source", runtime: "2.9.6" }, "aarch64"),
    "paddock 1.2.3 (aarch64, run from its source, Deno 2.9.6)",
  );
});
