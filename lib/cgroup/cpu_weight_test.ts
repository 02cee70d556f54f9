import { assertEquals } from "@std/assert";
import { convertBlkioWeight, convertSharesToWeight } from "./cpu_weight.ts";

Deno.test("convertSharesToWeight maps the least, the default and the greatest onto each other", () => {
  assertEquals([0, 2, 1024, 262144, 999999].map(convertSharesToWeight), [1, 1, 100, 10000, 10000]);
});

Deno.test("convertSharesToWeight agrees with the published table of the formula", () => {
  // https://kubernetes.io/blog, "New conversion from cgroup v1 CPU shares to v2 CPU weight"; runc's unit test.
  assertEquals(convertSharesToWeight(102), 17);
  assertEquals(convertSharesToWeight(512), 59);
  assertEquals(convertSharesToWeight(2048), 171);
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
