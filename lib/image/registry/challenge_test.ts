import { assertEquals } from "@std/assert";
import { parseChallenges } from "./challenge.ts";

Deno.test("challenges: one with parameters, quoted and bare", () => {
  assertEquals(
    parseChallenges('Bearer realm="https://auth.example/token",service=registry,scope="repository:a/b:pull,push"'),
    [{
      scheme: "bearer",
      parameters: { realm: "https://auth.example/token", service: "registry", scope: "repository:a/b:pull,push" },
    }],
  );
});

Deno.test("challenges: several in one header, names in any case, escapes in quotes", () => {
  assertEquals(parseChallenges('NEGOTIATE, basic Realm="a \\"b\\", c", BEARER realm=x'), [
    { scheme: "negotiate", parameters: {} },
    { scheme: "basic", parameters: { realm: 'a "b", c' } },
    { scheme: "bearer", parameters: { realm: "x" } },
  ]);
});

Deno.test("challenges: the first of two values counts, and nonsense ends", () => {
  assertEquals(parseChallenges('Bearer realm="a", realm="b"'), [{ scheme: "bearer", parameters: { realm: "a" } }]);
  assertEquals(parseChallenges('="", realm="x", "'), []);
  assertEquals(parseChallenges(""), []);
});
