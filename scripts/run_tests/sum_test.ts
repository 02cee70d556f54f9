import { assertEquals } from "@std/assert";
import { addUp, sumOf, ZERO } from "./sum.ts";

Deno.test("the sum of a run is read from its last lines, colours or not", () => {
  assertEquals(sumOf("ok | 12 passed (2 steps) | 0 failed | 1 ignored (3s)\n", true), {
    passed: 12,
    failed: 0,
    ignored: 1,
  });
  assertEquals(sumOf("\x1b[31mFAILED\x1b[0m | 3 passed | 2 failed \x1b[38;5;245m(18ms)\x1b[0m\n", false), {
    passed: 3,
    failed: 2,
    ignored: 0,
  });
});

Deno.test("several guests in one output are added up", () => {
  const output = "ok | 2 passed | 0 failed (1s)\n── guest ──\nok | 3 passed | 0 failed | 4 ignored (1s)\n";
  assertEquals(sumOf(output, true), { passed: 5, failed: 0, ignored: 4 });
});

Deno.test("a run that fails without a failed test is a failure", () => {
  assertEquals(sumOf("error: Module not found\n", false), { passed: 0, failed: 1, ignored: 0 });
  assertEquals(addUp(ZERO, sumOf("ok | 1 passed | 0 failed (1s)", false)), { passed: 1, failed: 1, ignored: 0 });
});
