import { assertEquals, assertThrows } from "@std/assert";
import { takeDescriptors, withVariables } from "./descriptors.ts";

Deno.test("takeDescriptors passes over sockets for another process, and refuses too many", () => {
  const variables: Readonly<Record<string, string>> = { LISTEN_FDS: "2", LISTEN_PID: "1" };
  assertEquals(takeDescriptors({ preserved: 0, env: (name) => variables[name] }), { count: 0, env: [] });
  assertThrows(() => takeDescriptors({ preserved: 97, env: () => undefined }), Error, "97 descriptors");
});

Deno.test("withVariables replaces those of the same names", () => {
  assertEquals(withVariables(["A=1", "AB=2", "A=3"], ["A=4"]), ["AB=2", "A=4"]);
});
