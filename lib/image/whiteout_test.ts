/**
 * What an entry of a layer means by its name.
 */
import { assertEquals } from "@std/assert";
import { readLayerEntry } from "./whiteout.ts";

const kindOf = (path: string): string => readLayerEntry(path.split("/").filter((part) => part !== "")).kind;

Deno.test("readLayerEntry tells whiteouts from files", () => {
  assertEquals(readLayerEntry(["d", ".wh.x"]), { kind: "hide", parent: ["d"], name: "x" });
  assertEquals(readLayerEntry([".wh..x"]), { kind: "hide", parent: [], name: ".x" });
  assertEquals(readLayerEntry([".wh.....x"]), { kind: "hide", parent: [], name: "....x" });
  assertEquals(readLayerEntry(["d", ".wh..wh..opq"]), { kind: "opaque", directory: ["d"] });
  assertEquals(readLayerEntry([".wh..wh..opq"]), { kind: "opaque", directory: [] });
  for (const path of ["", "d/x", ".wh", "wh.x", "x.wh.y", "d/.whx"]) assertEquals(kindOf(path), "file", path);
});

Deno.test("readLayerEntry refuses what would hide more than a name, and leaves out an old union filesystem's own", () => {
  for (const path of [".wh.", "d/.wh..", "d/.wh...", ".wh.d/x", ".wh.d/.wh..wh..opq"]) {
    assertEquals(kindOf(path), "refuse", path);
  }
  for (const path of [".wh..wh.plnk", ".wh..wh.plnk/1.2", "d/.wh..wh.orph/x", ".wh..wh.aufs"]) {
    assertEquals(kindOf(path), "ignore", path);
  }
});
