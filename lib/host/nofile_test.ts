import { assertEquals } from "@std/assert";
import { type Limit, type LimitSource, parseStat, readOriginalNofile } from "./nofile.ts";

/** Processes by pid: own is 0. */
function sourceOf(limits: Record<number, Limit>, more: Partial<LimitSource> = {}): LimitSource {
  return {
    standalone: false,
    parent: 10,
    limitOf: (pid) => limits[pid],
    processOf: () => ({ name: "bash", parent: 1 }),
    ...more,
  };
}

const RAISED = { soft: 524288, hard: 524288 };

Deno.test("readOriginalNofile takes the parent's soft limit where ours is at the hard one", () => {
  assertEquals(readOriginalNofile(sourceOf({ 0: RAISED, 10: { soft: 1024, hard: 524288 } })).soft, 1024);
});

Deno.test("readOriginalNofile keeps a limit that nobody raised", () => {
  const own = { soft: 2048, hard: 4096 };
  assertEquals(readOriginalNofile(sourceOf({ 0: own, 10: { soft: 1024, hard: 4096 } })), own);
  assertEquals(readOriginalNofile(sourceOf({ 0: RAISED, 10: { soft: 1, hard: 1 } }, { standalone: true })), RAISED);
});

Deno.test("readOriginalNofile looks behind a task runner that raised its own", () => {
  const source = sourceOf({ 0: RAISED, 10: RAISED, 9: { soft: 1024, hard: 524288 } }, {
    processOf: () => ({ name: "deno", parent: 9 }),
  });
  assertEquals(readOriginalNofile(source).soft, 1024);
});

Deno.test("readOriginalNofile believes a shell whose user raised it on purpose", () => {
  assertEquals(readOriginalNofile(sourceOf({ 0: RAISED, 10: RAISED, 1: { soft: 1, hard: 1 } })), RAISED);
});

Deno.test("readOriginalNofile falls back to the kernel's default where the parent is out of sight", () => {
  assertEquals(readOriginalNofile(sourceOf({ 0: RAISED }, { parent: 0 })), { soft: 1024, hard: 524288 });
});

Deno.test("readOriginalNofile never exceeds our own hard limit", () => {
  const own = { soft: 4096, hard: 4096 };
  assertEquals(readOriginalNofile(sourceOf({ 0: own, 10: { soft: 9000, hard: 9000 } })), own);
  assertEquals(readOriginalNofile(sourceOf({ 0: own, 10: { soft: -1, hard: -1 } })), own);
});

Deno.test("parseStat reads names with spaces and parentheses", () => {
  assertEquals(parseStat("42 (npm exec (x)) S 7 42"), { name: "npm exec (x)", parent: 7 });
  assertEquals(parseStat(""), undefined);
});
