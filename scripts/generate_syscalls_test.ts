import { assertEquals } from "@std/assert";
import { readNumbers, writeTable } from "./generate_syscalls.ts";

Deno.test("readNumbers works out numbers that are sums of macros, and leaves out what is no call", () => {
  const text = `
#define __NR_Linux_syscalls 3
#define __NR_read 0
#define __NR_write (__NR_Linux + 1)
#define __ARM_NR_BASE (__NR_Linux+0x0f0000)
#define __ARM_NR_set_tls (__ARM_NR_BASE+5)
`;
  const numbers = readNumbers(text, { __NR_Linux: 4000 });
  assertEquals([...numbers], [["read", 0], ["write", 4001], ["set_tls", 4000 + 0xf0005]]);
});

Deno.test("writeTable writes a number where one is left out, and a plus sign for what is common", () => {
  const common = [["late", 424], ["later", 425]] as const;
  assertEquals(writeTable([["b", 1], ["a", 0], ["d", 5], ...common, ["last", 512]], common), "a b 5 d + 512 last");
  assertEquals(writeTable([["a", 0], ["late", 424]], common), "a 424 late");
});
