import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../../base/errors.ts";
import { editAuthFile, findEntry, findHelper, parseAuthFile } from "./auth_file.ts";

function file(auths: Record<string, unknown>, more: Record<string, unknown> = {}): ReturnType<typeof parseAuthFile> {
  return parseAuthFile(JSON.stringify({ auths, ...more }), "auth.json");
}

const login = (words: string): { auth: string } => ({ auth: btoa(words) });

function whose(found: ReturnType<typeof findEntry>): string | undefined {
  const credentials = found?.entry.credentials;
  return credentials?.kind === "password" ? `${credentials.user}/${credentials.password}` : credentials?.kind;
}

Deno.test("findEntry: the longest beginning of a name counts, and only whole parts do", () => {
  const found = file({
    "quay.io": login("registry:1"),
    "quay.io/team": login("team:2"),
    "quay.io/team/web": login("web:3:with colon"),
  });
  assertEquals(whose(findEntry(found, "quay.io", "team/web")), "web/3:with colon");
  assertEquals(whose(findEntry(found, "quay.io", "team/other")), "team/2");
  assertEquals(whose(findEntry(found, "quay.io", "teams/web")), "registry/1");
  assertEquals(whose(findEntry(found, "quay.io", "")), "registry/1");
  assertEquals(findEntry(found, "quay.io:443", "team/web"), undefined);
  assertEquals(findEntry(found, "evil.quay.io", "team/web"), undefined);
});

Deno.test("findEntry: docker's own registry by each of its names, and addresses as docker writes them", () => {
  for (const key of ["docker.io", "https://index.docker.io/v1/", "index.docker.io"]) {
    assertEquals(whose(findEntry(file({ [key]: login("a:b") }), "docker.io", "library/alpine")), "a/b", key);
  }
  assertEquals(whose(findEntry(file({ "https://reg.lan:5000/v1/": login("a:b") }), "reg.lan:5000", "x")), "a/b");
});

Deno.test("parseAuthFile: tokens, names in plain text, an entry that a helper keeps, an empty file", () => {
  const found = file({
    a: { identitytoken: "t" },
    b: { registrytoken: "r" },
    c: { username: "u", password: "p" },
    d: {},
  });
  assertEquals(found.auths.get("a")?.credentials, { kind: "identity", token: "t" });
  assertEquals(found.auths.get("b")?.credentials, { kind: "bearer", token: "r" });
  assertEquals(found.auths.get("c")?.credentials, { kind: "password", user: "u", password: "p" });
  assertEquals(found.auths.get("d"), {});
  assertEquals(parseAuthFile("", "auth.json").auths.size, 0);
});

Deno.test("parseAuthFile: what makes no sense is refused with its place, and says no password", () => {
  assertThrows(() => file({ a: { auth: "%%" } }), PaddockError, '"auth.json": $.auths["a"].auth: no base64');
  assertThrows(() => file({ a: login("secret") }), PaddockError, "USER:PASSWORD in base64 is wanted");
  assertThrows(() => parseAuthFile("[]", "auth.json"), PaddockError, "an object is wanted");
});

Deno.test("findHelper: a registry's own before the one for all, and no path", () => {
  const found = file({}, { credHelpers: { "gcr.io": "gcloud", "docker.io": "hub" }, credsStore: "desktop" });
  assertEquals(findHelper(found, "gcr.io"), "gcloud");
  assertEquals(findHelper(found, "docker.io"), "hub");
  assertEquals(findHelper(found, "quay.io"), "desktop");
  assertThrows(() => findHelper(file({}, { credsStore: "../x" }), "a"), PaddockError, "no name of a credential helper");
});

Deno.test("editAuthFile: changes an entry and keeps all else", () => {
  const before = JSON.stringify({ auths: { a: login("x:y"), b: {} }, detachKeys: "ctrl-x" });
  assertEquals(JSON.parse(editAuthFile(before, "f", ["b"], login("u:p"))), {
    auths: { a: login("x:y"), b: login("u:p") },
    detachKeys: "ctrl-x",
  });
  assertEquals(JSON.parse(editAuthFile(before, "f", ["a"], undefined)), { auths: { b: {} }, detachKeys: "ctrl-x" });
  assertEquals(JSON.parse(editAuthFile("", "f", ["a"], {})), { auths: { a: {} } });
});
