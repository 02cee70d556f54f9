import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../../base/errors.ts";
import { readMoment } from "./moment.ts";

Deno.test("readMoment takes seconds, times to the nanosecond, dates, and how long ago", () => {
  const now = Date.parse("2026-11-24T14:00:00Z");
  for (
    const [text, wanted] of [
      ["1764000000", 1764000000_000000000n],
      ["1764000000.5", 1764000000_500000000n],
      ["2026-11-24T13:59:59Z", BigInt(now - 1000) * 1_000_000n],
      ["2026-11-24T15:00:00.000000001+01:00", BigInt(now) * 1_000_000n + 1n],
      ["2026-11-24T14:00Z", BigInt(now) * 1_000_000n],
      ["10m", BigInt(now - 600_000) * 1_000_000n],
      ["1h30m", BigInt(now - 5_400_000) * 1_000_000n],
      ["2026-11-24", BigInt(Date.parse("2026-11-24T00:00")) * 1_000_000n],
    ] as const
  ) {
    assertEquals(readMoment(text, now), wanted, text);
  }
  for (const text of ["", "yesterday", "2026-99-99", "10 parsecs"]) {
    assertThrows(() => readMoment(text, now), UsageError, undefined, text);
  }
});
