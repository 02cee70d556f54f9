/**
 * Names of images, as docker completes and shows them.
 */
import { assertEquals } from "@std/assert";
import { completeName, familiarName, parseReference } from "./reference.ts";

const DIGEST = `sha256:${"0".repeat(64)}`;

Deno.test("completeName follows docker's rules for short names", () => {
  const cases: readonly (readonly [string, string | undefined])[] = [
    ["alpine", "docker.io/library/alpine:latest"],
    ["alpine:3", "docker.io/library/alpine:3"],
    ["library/alpine", "docker.io/library/alpine:latest"],
    ["user/app:1.2", "docker.io/user/app:1.2"],
    ["docker.io/alpine", "docker.io/library/alpine:latest"],
    ["index.docker.io/user/app", "docker.io/user/app:latest"],
    ["localhost/app", "localhost/app:latest"],
    ["localhost:5000/app", "localhost:5000/app:latest"],
    ["localhost:5000/app:2", "localhost:5000/app:2"],
    ["ghcr.io/a/b/c:x", "ghcr.io/a/b/c:x"],
    ["HOST/app", "HOST/app:latest"],
    ["[::1]:5000/app", "[::1]:5000/app:latest"],
    [`alpine@${DIGEST}`, `docker.io/library/alpine@${DIGEST}`],
    [`alpine:3@${DIGEST}`, `docker.io/library/alpine:3@${DIGEST}`],
    ["", undefined],
    ["Alpine", undefined],
    ["alpine:", undefined],
    ["alpine:.x", undefined],
    [`alpine:${"x".repeat(129)}`, undefined],
    ["a//b", undefined],
    ["../x", undefined],
    ["/etc/passwd", undefined],
    ["a__b/c--d.e", "docker.io/a__b/c--d.e:latest"],
    ["a..b", undefined],
    ["-a", undefined],
    ["alpine@sha256:x", undefined],
    ["x".repeat(256), undefined],
  ];
  for (const [text, full] of cases) assertEquals(completeName(text), full, text);
});

Deno.test("familiarName shows a full name as docker does", () => {
  const names = ["alpine:3", "user/app:1", "localhost:5000/app:2", "ghcr.io/a/b:x"];
  assertEquals(names.map((name) => familiarName(completeName(name)!)), names);
  assertEquals(familiarName("docker.io/library/a/b:1"), "library/a/b:1");
});

Deno.test("parseReference takes a name apart", () => {
  assertEquals(parseReference(`r.example:1/a/b:t@${DIGEST}`), {
    domain: "r.example:1",
    path: "a/b",
    tag: "t",
    digest: DIGEST,
  });
});
