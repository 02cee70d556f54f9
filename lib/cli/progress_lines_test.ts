import { assert, assertEquals } from "@std/assert";
import { createProgressLines } from "./progress_lines.ts";

Deno.test("createProgressLines draws all lines anew in their places, and words at once", () => {
  let time = 0;
  let written = "";
  const write = (text: string): void => void (written += text);
  const bars = createProgressLines({ isTerminal: true, columns: 60, write, now: () => time })!;
  const [one, two] = [bars.add("one"), bars.add("two\x1b[31m")];
  one.say("is there");
  assertEquals(written, "\rone: is there\x1b[K\n\r\x1b[K\n");
  written = "";
  two.update(1e6, 2e6);
  assertEquals(written, "");
  time = 1000;
  two.update(1e6, 2e6);
  assert(written.startsWith("\x1b[2A\rone: is there\x1b[K\n\rtwo\\x1b[31m ["), JSON.stringify(written));
  assert(written.includes(" 50% 1.0 MB of 2.0 MB"), written);
  bars.done();
  written = "";
  two.say("late");
  bars.done();
  assertEquals(written, "");
});

Deno.test("createProgressLines draws no more lines than the terminal has", () => {
  let written = "";
  const write = (text: string): void => void (written += text);
  const bars = createProgressLines({ isTerminal: true, columns: 60, rows: 3, write, now: () => 0 })!;
  const lines = ["a", "b", "c", "d"].map((label) => bars.add(label));
  lines.forEach((line) => line.say("x"));
  written = "";
  bars.done();
  assertEquals(written, "\x1b[2A\rc: x\x1b[K\n\rd: x\x1b[K\n");
});

Deno.test("createProgressLines has no bars for a file", () => {
  assertEquals(createProgressLines({ isTerminal: false, columns: 80, write: () => {}, now: () => 0 }), undefined);
});
