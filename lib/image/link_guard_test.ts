import { assertEquals } from "@std/assert";
import { LinkGuard } from "./link_guard.ts";

Deno.test("LinkGuard finds the link on the way that leads out, absolute or by climbing", () => {
  const guard = new LinkGuard();
  guard.add(["abs"], "/etc");
  guard.add(["a", "up"], "../../x");
  guard.add(["a", "beside"], "../b");
  assertEquals(guard.find(["abs", "passwd"]), "abs");
  assertEquals(guard.find(["a", "up", "deep", "f"]), "a/up");
  assertEquals(guard.find(["a", "beside", "f"]), undefined);
});

Deno.test("LinkGuard lets a link itself be named, and forgets one that was replaced", () => {
  const guard = new LinkGuard();
  guard.add(["l"], "/etc");
  assertEquals(guard.find(["l"]), undefined);
  guard.remove(["l"]);
  assertEquals(guard.find(["l", "x"]), undefined);
  guard.add(["m"], "/etc");
  guard.add(["m"], "etc");
  assertEquals(guard.find(["m", "x"]), undefined);
});

Deno.test("LinkGuard of a layer takes absolute targets from the new root", () => {
  const guard = new LinkGuard(true);
  guard.add(["var", "run"], "/run");
  guard.add(["up"], "/../x");
  guard.add(["out"], "../x");
  assertEquals(guard.find(["var", "run", "x"]), undefined);
  assertEquals([guard.find(["up", "x"]), guard.find(["out", "x"])], ["up", "out"]);
});
