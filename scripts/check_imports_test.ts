import { assertEquals } from "@std/assert";
import { checkImports } from "./check_imports.ts";

/** The faults of one file with this text; the others are what it may name. */
function faultsOf(path: string, text: string): string[] {
  return checkImports([{ path, text }]);
}

Deno.test("the edges of the architecture pass", () => {
  const files = [
    { path: "main.ts", text: `import { main } from "./lib/cli/main.ts";\n` },
    { path: "lib/cli/main.ts", text: `import { run } from "../runtime/run.ts";\nexport const f = 1;\n` },
    { path: "lib/runtime/run.ts", text: `import { plan } from "../plan/build.ts";\n` },
    {
      path: "lib/plan/build.ts",
      text: `import type { Facts } from "../host/facts.ts";\nimport { v1 } from "../cgroup/v1.ts";\n`,
    },
  ];
  assertEquals(checkImports(files), []);
});

Deno.test("an edge that is not in the table is a fault, whichever way it is written", () => {
  const fault = "lib/plan/build.ts: imports lib/kernel/fd.ts, but plan may not use kernel";
  for (
    const text of [
      `import { openFd } from "../kernel/fd.ts";`,
      `import type { Fd } from "../kernel/fd.ts";`,
      `export * from "../kernel/fd.ts";`,
      `import {\n  openFd,\n} from "../kernel/fd.ts";`,
      `const fd = await import("../kernel/fd.ts");`,
      `import "../kernel/fd.ts";`,
    ]
  ) assertEquals(faultsOf("lib/plan/build.ts", text), [fault], text);
});

Deno.test("an edge for types alone refuses a value", () => {
  assertEquals(faultsOf("lib/cgroup/v2.ts", `import { type Facts } from "../host/facts.ts";`), []);
  assertEquals(faultsOf("lib/cgroup/v2.ts", `import { FEATURES, type Facts } from "../host/facts.ts";`), [
    "lib/cgroup/v2.ts: imports lib/host/facts.ts, of which only types may be used here",
  ]);
  assertEquals(faultsOf("lib/plan/a.ts", `import { probe } from "../host/probe.ts";`), [
    "lib/plan/a.ts: imports lib/host/probe.ts, but plan may not use host",
  ]);
});

Deno.test("a comment is no import and no use, a string does not hide one", () => {
  assertEquals(faultsOf("lib/plan/a.ts", `// import { x } from "../kernel/fd.ts";\n/* Deno.open */`), []);
  assertEquals(faultsOf("lib/plan/a.ts", `const url = "http://x"; Deno.open(url);`), [
    "lib/plan/a.ts: uses Deno, but lib/plan is pure",
  ]);
});

Deno.test("pure folders have neither Deno nor node, only the kernel opens libraries", () => {
  assertEquals(faultsOf("lib/spec/a.ts", `import { join } from "node:path";`), [
    "lib/spec/a.ts: imports node:path, but lib/spec is pure",
  ]);
  assertEquals(faultsOf("lib/host/a.ts", `Deno.dlopen("libc.so.6", {});`), [
    "lib/host/a.ts: uses native memory or libraries, which only lib/kernel may",
  ]);
  assertEquals(faultsOf("lib/kernel/a.ts", `Deno.dlopen("libc.so.6", {});`), []);
});

Deno.test("a node module is imported where it is used, not at every start", () => {
  assertEquals(faultsOf("lib/image/a.ts", `import zlib from "node:zlib";`), [
    'lib/image/a.ts: imports node:zlib at every start, which costs 20 to 50 ms: await import("node:zlib") where used',
  ]);
  assertEquals(faultsOf("lib/image/a.ts", `const zlib = await import("node:zlib");`), []);
  assertEquals(faultsOf("lib/image/a.ts", `import type { Duplex } from "node:stream";`), []);
  assertEquals(faultsOf("lib/image/a_test.ts", `import zlib from "node:zlib";`), []);
});

Deno.test("only the five packages may be used, by their bare names", () => {
  assertEquals(faultsOf("lib/cli/a.ts", `import { parseArgs } from "@std/cli";`), []);
  assertEquals(faultsOf("lib/cli/a.ts", `import { parseArgs } from "@std/cli/parse-args";`), [
    "lib/cli/a.ts: imports @std/cli/parse-args, which is none of our packages",
  ]);
  assertEquals(faultsOf("tests/a_test.ts", `import x from "npm:left-pad@1";`), [
    "tests/a_test.ts: imports npm:left-pad@1, which is none of our packages",
  ]);
});

Deno.test("a cycle between files is a fault and is shown whole", () => {
  const files = [
    { path: "lib/plan/a.ts", text: `import { b } from "./b.ts";` },
    { path: "lib/plan/b.ts", text: `import { c } from "./c.ts";` },
    { path: "lib/plan/c.ts", text: `import { a } from "./a.ts";` },
  ];
  assertEquals(checkImports(files), [
    "cycle of imports: lib/plan/a.ts → lib/plan/b.ts → lib/plan/c.ts → lib/plan/a.ts",
  ]);
});

Deno.test("tests use what they need, and nothing uses them", () => {
  assertEquals(faultsOf("lib/plan/a_test.ts", `import { fd } from "../kernel/fd.ts";`), []);
  assertEquals(faultsOf("lib/plan/a.ts", `import { x } from "./b_test.ts";`), [
    "lib/plan/a.ts: imports the test lib/plan/b_test.ts",
  ]);
});
