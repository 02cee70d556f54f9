import { assertEquals } from "@std/assert";
import { beginHealth, type Health, healthCommand, mergeHealthcheck, takeAnswer } from "./health.ts";

const BEGAN = "2026-01-01T00:00:00.000Z";

function answer(exitCode: number, second: number): Parameters<typeof takeAnswer>[1] {
  const at = new Date(Date.parse(BEGAN) + second * 1000).toISOString();
  return { start: at, end: at, exitCode, output: "" };
}

function after(codes: readonly number[], check: Parameters<typeof takeAnswer>[2] = {}): Health {
  return codes.reduce((health, code, index) => takeAnswer(health, answer(code, index), check), beginHealth(BEGAN));
}

Deno.test("a check is a command, a line for the shell, or none", () => {
  const command = (...test: string[]) => healthCommand({ healthcheck: { test } });
  assertEquals(command("CMD", "nc", "-z", "::1"), ["nc", "-z", "::1"]);
  assertEquals(command("CMD-SHELL", "test -f /ok"), ["/bin/sh", "-c", "test -f /ok"]);
  assertEquals([command("NONE"), command(), healthCommand({})], [undefined, undefined, undefined]);
  assertEquals(healthCommand({ healthcheck: { test: ["CMD-SHELL", "x"] }, shell: ["/bin/ash", "-e"] }), [
    "/bin/ash",
    "-e",
    "x",
  ]);
});

Deno.test("what the user says goes before what the image says, each on its own", () => {
  const image = { test: ["CMD", "true"], interval: 5, retries: 2 };
  assertEquals(mergeHealthcheck(image, { interval: 9 }), { test: ["CMD", "true"], interval: 9, retries: 2 });
  assertEquals(mergeHealthcheck(image, undefined), image);
  assertEquals(mergeHealthcheck(undefined, { test: ["NONE"] }), { test: ["NONE"] });
});

Deno.test("as many failures in a row as are allowed make it unhealthy, and one success healthy", () => {
  assertEquals([after([]).status, after([1, 1]).status, after([1, 1, 1]).status], [
    "starting",
    "starting",
    "unhealthy",
  ]);
  assertEquals(after([0, 1, 1]).status, "healthy");
  assertEquals([after([1, 1, 1, 0]).status, after([1, 1, 1, 0]).failingStreak], ["healthy", 0]);
  assertEquals(after([1], { retries: 1 }).status, "unhealthy");
  assertEquals(after([0, 1, 0, 1, 0, 1, 1]).log.length, 5);
});

Deno.test("failures while it starts up do not count, until it has been well", () => {
  const check = { startPeriod: 10e9, retries: 1 };
  assertEquals([after([1, 1, 1], check).status, after([1, 1, 1], check).failingStreak], ["starting", 0]);
  assertEquals(after([0, 1], check).status, "unhealthy");
  assertEquals(takeAnswer(beginHealth(BEGAN), answer(1, 11), check).status, "unhealthy");
});
