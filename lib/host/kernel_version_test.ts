import { assertEquals } from "@std/assert";
import { isKernelAtLeast, parseKernelVersion } from "./kernel_version.ts";

Deno.test("parseKernelVersion reads the numbers of distributions' releases", () => {
  assertEquals(parseKernelVersion("6.18.44-fc-v769"), [6, 18, 44]);
  assertEquals(parseKernelVersion("4.18.0-553.el8_10.x86_64"), [4, 18, 0]);
  assertEquals(parseKernelVersion("5.10-rc1"), [5, 10, 0]);
  assertEquals(parseKernelVersion("7"), [7, 0, 0]);
});

Deno.test("parseKernelVersion takes a release without numbers for an ancient kernel", () => {
  assertEquals(parseKernelVersion("custom"), [0, 0, 0]);
});

Deno.test("isKernelAtLeast compares numbers, not text", () => {
  assertEquals(isKernelAtLeast([5, 10, 0], 5, 9), true);
  assertEquals(isKernelAtLeast([5, 9, 99], 5, 10), false);
  assertEquals(isKernelAtLeast([6, 0, 0], 5, 10), true);
  assertEquals(isKernelAtLeast([4, 18, 0], 5, 0), false);
});
