import { assertEquals, assertThrows } from "@std/assert";
import { syscallName, syscallNumber } from "./syscalls.ts";

/** Of both tables; those above 424 are the same on all architectures. */
const KNOWN: readonly (readonly [string, number, number])[] = [
  ["read", 0, 63],
  ["clone", 56, 220],
  ["execve", 59, 221],
  ["wait4", 61, 260],
  ["pivot_root", 155, 41],
  ["mount", 165, 40],
  ["exit_group", 231, 94],
  ["openat", 257, 56],
  ["unshare", 272, 97],
  ["setns", 308, 268],
  ["execveat", 322, 281],
  ["open_tree", 428, 428],
  ["close_range", 436, 436],
  ["openat2", 437, 437],
  ["mount_setattr", 442, 442],
];

Deno.test("syscallNumber gives each architecture's own number, and syscallName takes it back", () => {
  for (const [name, x86, arm] of KNOWN) {
    assertEquals(syscallNumber(name, "x86_64"), x86, name);
    assertEquals(syscallNumber(name, "aarch64"), arm, name);
    assertEquals(syscallName(x86, "x86_64"), name);
    assertEquals(syscallName(arm, "aarch64"), name);
  }
});

Deno.test("syscallName gives no two calls the same number", () => {
  for (const arch of ["x86_64", "aarch64"] as const) {
    for (let number = 0; number < 600; number++) {
      const name = syscallName(number, arch);
      if (name !== undefined) assertEquals(syscallNumber(name, arch), number, `${name} on ${arch}`);
    }
  }
});

Deno.test("syscallNumber refuses what one architecture lacks, and what is no call at all", () => {
  for (const name of ["open", "mkdir", "fork", ""]) {
    assertThrows(() => syscallNumber(name, "x86_64"), RangeError, `"${name}" is not known`);
  }
  assertEquals(syscallName(9999, "x86_64"), undefined);
});
