import { assertEquals, assertStringIncludes } from "@std/assert";
import { explainCgroupFault } from "./explain_fault.ts";

Deno.test("explainCgroupFault names the directory that has processes in it", () => {
  const text = explainCgroupFault({ call: "write", path: "/cg/a/cgroup.subtree_control", code: "EBUSY" });
  assertStringIncludes(text ?? "", "processes in /cg/a itself");
});

Deno.test("explainCgroupFault tells a name in use from a hierarchy that cannot be written", () => {
  const explain = (code: string): string => explainCgroupFault({ call: "mkdirat", path: "/cg/paddock/x", code }) ?? "";
  assertStringIncludes(explain("EEXIST"), "paddock gc");
  assertStringIncludes(explain("EROFS"), "not writable");
});

Deno.test("explainCgroupFault takes a missing swap file for a kernel that does not count swap", () => {
  for (const file of ["memory.memsw.limit_in_bytes", "memory.swap.max"]) {
    const text = explainCgroupFault({ call: "openat", path: `/cg/x/${file}`, code: "ENOENT" });
    assertStringIncludes(text ?? "", "swapaccount=1");
  }
});

Deno.test("explainCgroupFault has nothing to add to an error that says it all", () => {
  assertEquals(explainCgroupFault({ call: "openat", path: "/cg/x/memory.max", code: "EMFILE" }), undefined);
});
