import { assertEquals, assertThrows } from "@std/assert";
import { PaddockError } from "./errors.ts";
import { parseToml } from "./toml.ts";

/** Through JSON, so that tables compare whatever their prototype is. */
function read(text: string): unknown {
  return JSON.parse(JSON.stringify(parseToml(text, "conf")));
}

Deno.test("parseToml: tables, arrays of tables, and tables of their last", () => {
  const text = `
unqualified-search-registries = ["a", 'b', ] # trailing
[[registry]]
prefix = "example.com"
insecure=true
[[registry.mirror]]
location = "m1"
[[registry.mirror]]
location = "m2" # second
[[registry]]
location = "other"
[aliases]
"deb/ian" = "docker.io/library/debian"
`;
  assertEquals(read(text), {
    "unqualified-search-registries": ["a", "b"],
    registry: [
      { prefix: "example.com", insecure: true, mirror: [{ location: "m1" }, { location: "m2" }] },
      { location: "other" },
    ],
    aliases: { "deb/ian": "docker.io/library/debian" },
  });
});

Deno.test("parseToml: values of each kind", () => {
  assertEquals(
    read('a.b."c d" = 1\ne = {x = 1, y.z = [true, {w = "v"}]}\nf = 1_000\ng = 0xff\nh = -2.5e3\ni = []\nj = {}'),
    { a: { b: { "c d": 1 } }, e: { x: 1, y: { z: [true, { w: "v" }] } }, f: 1000, g: 255, h: -2500, i: [], j: {} },
  );
  assertEquals(read('a = "\\u00e9\\t\\"\\\\"\nb = \'\\n\'\nc = """\nx\\\n   y "q" z"""\nd = \'\'\'a\n\'b\'\'\'\''), {
    a: 'é\t"\\',
    b: "\\n",
    c: 'xy "q" z',
    d: "a\n'b'",
  });
  assertEquals(read("a = [ # one\n  1,\n\n  2 # two\n]\r\nb = 1"), { a: [1, 2], b: 1 });
});

Deno.test("parseToml: a key is nothing but a key", () => {
  assertEquals(Object.keys(parseToml("__proto__.x = 1\nconstructor = 2", "conf")), ["__proto__", "constructor"]);
});

Deno.test("parseToml: what is no TOML is refused with its line", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["a = 1\na = 2", "conf: line 2: a comes twice"],
    ["[a]\n[a]", "table a comes twice"],
    ["a", '"=" is wanted'],
    ["a = ", "a value is wanted"],
    ['a = "x', "a string without end"],
    ["a = '''x", "a string without end"],
    ["a = 1 2", "the line should end here"],
    ["a = [1", '"]" is wanted'],
    ["a = 1979-05-27", "is no value that is known here"],
    ["a = 1\n[a.b]", "a is no table"],
    ['a = "\\q"', "\\q is no escape"],
    [`a = ${"[".repeat(60)}`, "nested too deep"],
  ];
  for (const [text, message] of cases) assertThrows(() => parseToml(text, "conf"), PaddockError, message);
});
