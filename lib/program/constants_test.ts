import { assertEquals, assertThrows } from "@std/assert";
import { combine, constant, constantNames } from "./constants.ts";

Deno.test("constant knows where the architectures differ", () => {
  assertEquals(constant("O_DIRECTORY", "x86_64"), 0o200000);
  assertEquals(constant("O_DIRECTORY", "aarch64"), 0o40000);
  assertEquals(constant("O_NOFOLLOW", "x86_64"), 0o400000);
  assertEquals(constant("O_NOFOLLOW", "aarch64"), 0o100000);
  for (const arch of ["x86_64", "aarch64"] as const) {
    assertEquals(constant("O_CLOEXEC", arch), 0o2000000);
    // O_TMPFILE is a bit of its own and O_DIRECTORY.
    assertEquals(constant("O_TMPFILE", arch), 0o20000000 | constant("O_DIRECTORY", arch));
  }
});

Deno.test("constant refuses a name that is not known", () => {
  assertThrows(() => constant("O_NOTHING", "x86_64"), RangeError, '"O_NOTHING" is not known');
});

Deno.test("combine is the bitwise or, beyond 31 bits as well", () => {
  assertEquals(combine([], "x86_64"), 0);
  assertEquals(combine(["MS_BIND", "MS_REC", "MS_BIND"], "x86_64"), 0x5000);
  assertEquals(combine(["TIOCGPTN"], "x86_64"), 0x80045430);
});

Deno.test("constantNames names an argument of a call, and only what belongs to that call", () => {
  const names = (call: string, value: number) => constantNames(call, value, "x86_64");
  assertEquals(names("mount", 0), "0");
  assertEquals(names("mount", 0x5000), "MS_BIND|MS_REC");
  assertEquals(names("umount2", 2), "MNT_DETACH");
  assertEquals(names("openat", 0o2000000 | 1), "O_WRONLY|O_CLOEXEC");
  assertEquals(names("openat", 0o20200000), "O_TMPFILE");
  assertEquals(names("clone", 0x20000 | 0x11), "SIGCHLD|CLONE_NEWNS");
  assertEquals(names("prctl", 4), "PR_SET_DUMPABLE");
  assertEquals(names("ioctl", 0x5401), "TCGETS");
  assertEquals(names("getpid", 4), undefined);
  assertEquals(names("mount", 0x40000000), undefined);
});

Deno.test("constantNames reads each architecture's own numbers", () => {
  assertEquals(constantNames("openat", 0o100000, "aarch64"), "O_NOFOLLOW");
  assertEquals(constantNames("openat", 0o400000, "x86_64"), "O_NOFOLLOW");
});
