import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../base/errors.ts";
import { parseSystemdPath, placeCgroup } from "./place.ts";

Deno.test("placeCgroup puts a container below paddock unless its path says otherwise", () => {
  assertEquals(placeCgroup({ id: "web" }), { name: "paddock/web" });
  assertEquals(placeCgroup({ id: "web", parent: "/batch" }), { name: "paddock/web", parent: "/batch" });
  assertEquals(placeCgroup({ id: "web", cgroupsPath: "/paddock/web" }), { name: "paddock/web", parent: "/" });
  const batch = { name: "paddock/web", parent: "/batch" };
  assertEquals(placeCgroup({ id: "web", cgroupsPath: "/batch/paddock/web" }), batch);
  assertEquals(placeCgroup({ id: "web", cgroupsPath: "/a/b/c" }), { name: "c", parent: "/a/b" });
  assertEquals(placeCgroup({ id: "web", cgroupsPath: "/c" }), { name: "c", parent: "/" });
  assertEquals(placeCgroup({ id: "web", cgroupsPath: "a/b" }), { name: "a/b", parent: "/paddock" });
});

Deno.test("placeCgroup puts a container of a bundle where gc does not look", () => {
  assertEquals(placeCgroup({ id: "web", fromBundle: true }), { name: "paddock.bundles/web" });
  const relative = placeCgroup({ id: "web", cgroupsPath: "a/b", fromBundle: true });
  assertEquals(relative, { name: "a/b", parent: "/paddock.bundles" });
});

Deno.test("placeCgroup refuses the form of the systemd driver, and takes other colons for names", () => {
  assertThrows(() => placeCgroup({ id: "x", cgroupsPath: "system.slice:p:x" }), PaddockError, "linux.cgroupsPath");
  assertEquals(placeCgroup({ id: "x", cgroupsPath: "/a:b:c" }), { name: "a:b:c", parent: "/" });
});

Deno.test("parseSystemdPath reads slice, prefix and name", () => {
  assertEquals(parseSystemdPath("user.slice:libpod:1a"), { slice: "user.slice", prefix: "libpod", name: "1a" });
  assertEquals(parseSystemdPath(":libpod:1a"), { slice: "", prefix: "libpod", name: "1a" });
  for (const text of ["/a/b", "a:b", "a:b:c", "a.slice:b:", "a.slice:b:c/d"]) {
    assertThrows(() => parseSystemdPath(text), PaddockError, 'of format "slice:prefix:name"');
  }
});
