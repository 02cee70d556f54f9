import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "../../base/errors.ts";
import { parseToml } from "./toml.ts";
import { parseReference } from "../reference.ts";
import { chooseEndpoints, readRules } from "./registries_conf.ts";

const CONF = `
[[registry]]
location = "docker.io"
[[registry.mirror]]
location = "mirror.lan:5000/hub"
insecure = true
[[registry.mirror]]
location = "digests.lan"
pull-from-mirror = "digest-only"

[[registry]]
prefix = "example.com/team"
location = "internal.lan/moved"

[[registry]]
prefix = "*.blocked.example"
blocked = true

[[registry]]
prefix = "old.lan"
insecure = true
`;

function places(word: string, insecure?: boolean): string[] {
  const rules = readRules(parseToml(CONF, "conf"), "conf");
  return chooseEndpoints(rules, parseReference(word)!, insecure).map(({ host, repository, insecure }) =>
    `${host}/${repository}${insecure ? " insecure" : ""}`
  );
}

const DIGEST = `sha256:${"0".repeat(64)}`;

Deno.test("chooseEndpoints: mirrors come first, those for digests where there is one", () => {
  assertEquals(places("alpine"), [
    "mirror.lan:5000/hub/library/alpine insecure",
    "registry-1.docker.io/library/alpine",
  ]);
  assertEquals(places(`alpine@${DIGEST}`), [
    "mirror.lan:5000/hub/library/alpine insecure",
    "digests.lan/library/alpine",
    "registry-1.docker.io/library/alpine",
  ]);
});

Deno.test("chooseEndpoints: the longest prefix counts, and ends where a part ends", () => {
  assertEquals(places("example.com/team/web:1"), ["internal.lan/moved/web"]);
  assertEquals(places("example.com/teams/web:1"), ["example.com/teams/web"]);
  assertEquals(places("old.lan/x"), ["old.lan/x insecure"]);
});

Deno.test("chooseEndpoints: what the user says of TLS counts for all places", () => {
  assertEquals(places("old.lan/x", false), ["old.lan/x"]);
  assertEquals(places("127.0.0.1:5000/x"), ["127.0.0.1:5000/x insecure"]);
  assertEquals(places("127.0.0.1:5000/x", false), ["127.0.0.1:5000/x"]);
});

Deno.test("chooseEndpoints: a registry that is blocked is asked for nothing", () => {
  assertThrows(() => places("a.blocked.example:5000/x"), PaddockError, '"a.blocked.example:5000/x" is blocked');
  assertEquals(places("blocked.example/x"), ["blocked.example/x"]);
});

Deno.test("readRules: what makes no sense is refused with its place", () => {
  const refused = (text: string, message: string): void => {
    assertThrows(() => readRules(parseToml(text, "conf"), "conf"), PaddockError, message);
  };
  refused("[registries.search]\nregistries = []", "version 1");
  refused("[[registry]]\ninsecure = true", "registry 1: neither prefix nor location");
  refused('[[registry]]\nlocation = "https://x"', "registry 1: location");
  refused('[[registry]]\nlocation = "x"\nblocked = "yes"', "blocked: true or false is wanted");
  refused('[[registry]]\nlocation = "x"\n[[registry.mirror]]\ninsecure = true', "mirror 1: location is missing");
});
