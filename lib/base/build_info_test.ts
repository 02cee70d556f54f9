import { assertEquals, assertMatch } from "@std/assert";
import { buildInfoLine, readBuildInfo, VERSION } from "./build_info.ts";

Deno.test("from source, the build info says so", () => {
  assertEquals(readBuildInfo(), { version: VERSION, kind: "source", runtime: Deno.version.deno });
  assertMatch(VERSION, /^\d+\.\d+\.\d+$/);
});

Deno.test("the line that a build puts first is what the program reads", () => {
  const key = Symbol.for("paddock.build");
  try {
    new Function(buildInfoLine({ kind: "packed", revision: "abc" }))();
    assertEquals(readBuildInfo(), { version: VERSION, kind: "packed", revision: "abc", runtime: Deno.version.deno });
  } finally {
    Reflect.deleteProperty(globalThis, key);
  }
});
