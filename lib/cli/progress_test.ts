/**
 * A progress bar fits its line, and is drawn on terminals alone.
 */
import { assert, assertEquals } from "@std/assert";
import { createProgress, formatProgress } from "./progress.ts";

Deno.test("formatProgress draws a share, sizes and a rate in the columns there are", () => {
  const line = formatProgress("importing", 50e6, 200e6, 2, 80);
  assertEquals(line, `importing [${"=".repeat(10)}${" ".repeat(28)}] 25% 50 MB of 200 MB 25 MB/s`);
  for (const columns of [10, 20, 40, 80, 300]) {
    assert(formatProgress("importing", 1, 3, 1, columns).length < columns, `${columns} columns`);
  }
});

Deno.test("formatProgress counts bytes where the total is not known", () => {
  assertEquals(formatProgress("importing", 5e6, undefined, 1, 80), "importing 5.0 MB 5.0 MB/s");
});

Deno.test("createProgress draws at most ten times a second, takes the bar away, and writes nothing to a file", () => {
  let time = 0;
  let written = "";
  const target = { isTerminal: true, columns: 80, write: (text: string) => void (written += text), now: () => time };
  const bar = createProgress("x", target);
  for (time = 0; time < 250; time += 10) bar.update(time, 250);
  assertEquals(written.split("\r").length - 1, 2);
  bar.done();
  assert(written.endsWith("\r\x1b[K"));
  written = "";
  const silent = createProgress("x", { ...target, isTerminal: false });
  time = 1000;
  silent.update(1, 2);
  silent.done();
  assertEquals(written, "");
});
