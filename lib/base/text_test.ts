import { assertEquals } from "@std/assert";
import { didYouMean, escapeControl, findNearest, formatTable, quoteCommand, quoteShell, wrapText } from "./text.ts";

Deno.test("quoteShell leaves plain words bare and quotes the rest", () => {
  assertEquals(quoteShell("/bin/ls"), "/bin/ls");
  assertEquals(quoteShell(""), "''");
  assertEquals(quoteShell("a b"), "'a b'");
  assertEquals(quoteShell("it's"), `'it'\\''s'`);
  assertEquals(quoteShell("$HOME"), "'$HOME'");
  assertEquals(quoteShell("~"), "'~'");
  assertEquals(quoteShell("a\nb"), "'a\nb'");
  assertEquals(quoteCommand(["sh", "-c", "echo *"]), "sh -c 'echo *'");
});

Deno.test("escapeControl lets no terminal sequence, carriage return or turn of direction through", () => {
  assertEquals(escapeControl("\x1b[31mred\x1b[0m"), "\\x1b[31mred\\x1b[0m");
  assertEquals(escapeControl("a\rb\nc\x9b"), "a\\x0db\\x0ac\\x9b");
  assertEquals(escapeControl("abc\u202etxt"), "abc\\u202etxt");
  assertEquals(escapeControl("größe 漢字"), "größe 漢字");
});

Deno.test("formatTable aligns columns, trims the last and escapes cells", () => {
  assertEquals(
    formatTable(["NAME", "STATUS"], [["web", "running"], ["a-long-name", "stopped\x1b"], ["x"]]),
    "NAME         STATUS\nweb          running\na-long-name  stopped\\x1b\nx",
  );
});

Deno.test("wrapText breaks between words and keeps long ones whole", () => {
  assertEquals(wrapText("one two three", 7), ["one two", "three"]);
  assertEquals(wrapText("incomprehensible word", 5), ["incomprehensible", "word"]);
  assertEquals(wrapText("", 5), []);
});

Deno.test("findNearest finds one slip in four letters, swaps included, and nothing farther", () => {
  const verbs = ["run", "rm", "explain", "export", "compile"];
  assertEquals(findNearest("rnu", verbs), "run");
  assertEquals(findNearest("explian", verbs), "explain");
  assertEquals(findNearest("compil", verbs), "compile");
  assertEquals(findNearest("banana", verbs), undefined);
  assertEquals(findNearest("nosuch", ["touch"]), undefined);
  assertEquals(didYouMean("exprot", verbs), "did you mean 'export'");
  assertEquals(didYouMean("banana", verbs), undefined);
});
