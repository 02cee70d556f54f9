import { assertEquals } from "@std/assert";
import { convertBlkioWeight, convertSharesToWeight } from "./cpu_weight.ts";

Deno.test("convertSharesToWeight maps the least, the default and the greatest onto each other", () => {
  assertEquals([0, 2, 1024, 262144, 999999].map(convertSharesToWeight), [1, 1, 100, 10000, 10000]);
});

Deno.test("convertSharesToWeight is the quadratic in log2, rounded up", () => {
  // 512 is 2^9: 10^((81 + 1125) / 612 - 7 / 34) is 58.2; 2048 is 2^11: 10^((121 + 1375) / 612 - 7 / 34) is 173.2.
  assertEquals(convertSharesToWeight(512), 59);
  assertEquals(convertSharesToWeight(2048), 174);
});

Deno.test("convertSharesToWeight never falls as shares rise", () => {
  let last = 0;
  for (let shares = 2; shares <= 262144; shares += 37) {
    const weight = convertSharesToWeight(shares);
    assertEquals(weight >= last && weight >= 1 && weight <= 10000, true, `${shares} gives ${weight}`);
    last = weight;
  }
});

Deno.test("convertBlkioWeight maps 10 to 1 and 1000 to 10000", () => {
  assertEquals([10, 100, 500, 1000].map(convertBlkioWeight), [1, 910, 4950, 10000]);
});
