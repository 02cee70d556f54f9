/**
 * Files of an archive are found where they lie, through links, and never outside.
 */
import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { TarIndex } from "./tar_index.ts";
import type { TarEntry } from "./tar_entry.ts";
import { TarWriter } from "./tar_writer.ts";

function write(...lines: readonly (Partial<TarEntry> & { path: string; text?: string })[]): Uint8Array {
  const parts: number[] = [];
  const writer = new TarWriter((bytes) => parts.push(...bytes));
  for (const { text = "", ...line } of lines) {
    const base = { linkPath: "", type: "file" as const, mode: 0o644, uid: 0, gid: 0, mtimeSec: 0, mtimeNsec: 0 };
    writer.entry({ ...base, devMajor: 0, devMinor: 0, xattrs: [], size: text.length, ...line });
    if (text.length > 0) writer.data(new TextEncoder().encode(text));
  }
  writer.finish();
  return Uint8Array.from(parts);
}

function index(bytes: Uint8Array): TarIndex {
  return new TarIndex((into, offset) => {
    const part = bytes.subarray(offset, offset + Math.min(into.length, 300));
    into.set(part);
    return part.length;
  }, bytes.length);
}

function read(bytes: Uint8Array, path: string): string | undefined {
  const place = index(bytes).find(path);
  if (place === undefined) return undefined;
  return new TextDecoder().decode(bytes.subarray(place.offset, place.offset + place.size));
}

Deno.test("TarIndex finds files with long names, the last of a name, and what links lead to", () => {
  const long = "d/".repeat(100) + "file";
  const bytes = write(
    { path: "./a", text: "old" },
    { path: long, text: "long" },
    { path: "a", text: "new" },
    { path: "x/soft", type: "symlink", linkPath: "../a" },
    { path: "x/softer", type: "symlink", linkPath: "soft" },
    { path: "hard", type: "hardlink", linkPath: "./a" },
    { path: "x", type: "directory" },
  );
  assertEquals(["a", long, "x/soft", "x/softer", "hard"].map((path) => read(bytes, path)), [
    "new",
    "long",
    "new",
    "new",
    "new",
  ]);
  assertEquals(index(bytes).paths().length, 5);
});

Deno.test("TarIndex follows no link out of the archive, and none for ever", () => {
  const bytes = write(
    { path: "out", type: "symlink", linkPath: "../../etc/passwd" },
    { path: "rooted", type: "symlink", linkPath: "/a" },
    { path: "loop", type: "symlink", linkPath: "loop" },
    { path: "../b", text: "outside" },
    { path: "a", text: "inside" },
  );
  assertEquals(["out", "loop", "b", "../b"].map((path) => read(bytes, path)), Array(4).fill(undefined));
  assertEquals(read(bytes, "rooted"), "inside");
});

Deno.test("TarIndex says where an archive ends too early", () => {
  const bytes = write({ path: "a", text: "x".repeat(2000) });
  assertThrows(() => index(bytes.subarray(0, 1500)), PaddockError, 'archive: it ends inside "a"');
});
