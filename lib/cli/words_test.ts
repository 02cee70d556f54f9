import { assertEquals, assertThrows } from "@std/assert";
import { UsageError } from "../base/errors.ts";
import { findCommand } from "./commands.ts";
import type { Command, Words } from "./types.ts";
import { parseGlobalWords, parseWords } from "./words.ts";

function parse(verb: string, ...argv: string[]): Words {
  return parseWords(findCommand(verb) as Command, argv);
}

Deno.test("parseWords: a value stands after = or is the next word, whatever it looks like", () => {
  const words = parse("run", "--memory=1g", "--memory-swap", "-1", "--entrypoint", "", "--name=", "-u", "-x", "img");
  assertEquals(words.values.get("memory"), ["1g"]);
  assertEquals(words.values.get("memory-swap"), ["-1"]);
  assertEquals(words.values.get("entrypoint"), [""]);
  assertEquals(words.values.get("name"), [""]);
  assertEquals(words.values.get("user"), ["-x"]);
  assertEquals(words.positionals, ["img"]);
});

Deno.test("parseWords: short flags bundle, with a value at the end", () => {
  const words = parse("run", "-itm100m", "-e", "A=1", "-eB=2", "-v=/a:/b", "img");
  assertEquals(words.switches, new Map([["interactive", true], ["tty", true]]));
  assertEquals(words.values.get("memory"), ["100m"]);
  assertEquals(words.values.get("env"), ["A=1", "B=2"]);
  assertEquals(words.values.get("volume"), ["/a:/b"]);
});

Deno.test("parseWords: flags after the image belong to the command", () => {
  const words = parse("run", "-i", "img", "ls", "-l", "--name", "--", "x");
  assertEquals(words.positionals, ["img", "ls", "-l", "--name", "--", "x"]);
  assertEquals([...words.values.keys()], []);
});

Deno.test("parseWords: -- ends the flags, - is a word", () => {
  assertEquals(parse("run", "--", "-odd", "sh").positionals, ["-odd", "sh"]);
  assertEquals(parse("run", "-", "sh").positionals, ["-", "sh"]);
});

Deno.test("parseWords: a switch can be turned off, and takes no other value", () => {
  assertEquals(parse("run", "--rm", "--rm=false", "img").switches.get("rm"), false);
  assertEquals(parse("run", "-i=false", "img").switches.get("interactive"), false);
  assertThrows(() => parse("run", "--rm=maybe", "img"), UsageError, "--rm is a switch and takes no value 'maybe'");
});

Deno.test("parseWords: the last of a flag counts where it may not repeat", () => {
  assertEquals(parse("run", "--memory", "1m", "-m", "2m", "img").values.get("memory"), ["2m"]);
});

Deno.test("parseWords: other spellings are the same flag", () => {
  assertEquals(
    parse("run", "--net", "host", "--dns-opt", "rotate", "img").values,
    new Map([["network", ["host"]], ["dns-option", ["rotate"]]]),
  );
});

Deno.test("parseWords: what does not fit is named, with a hint", () => {
  const table: [string[], string, string][] = [
    [["--memroy", "1m", "img"], "unknown flag --memroy", "did you mean '--memory'"],
    [["--zzzzzz", "img"], "unknown flag --zzzzzz", "see: paddock run --help"],
    [["-Z", "img"], "unknown flag -Z", "see: paddock run --help"],
    [["-iZ", "img"], "unknown flag -Z in -iZ", "see: paddock run --help"],
    [["--memory"], "flag needs an argument: --memory SIZE", "see: paddock run --help"],
    [[], "run needs IMAGE", "see: paddock run --help"],
    [["--uts", "hsot", "img"], "--uts does not take 'hsot'", "did you mean 'host'"],
    [["--uts", "bridge", "img"], "--uts does not take 'bridge'", "it takes private or host"],
  ];
  for (const [argv, message, hint] of table) {
    const error = assertThrows(() => parse("run", ...argv), UsageError);
    assertEquals([error.message, error.hint], [message, hint]);
  }
});

Deno.test("parseWords: a verb without words refuses one, and --help needs none", () => {
  assertThrows(() => parse("doctor", "now"), UsageError, "doctor takes no word 'now'");
  assertEquals(parse("run", "--help").switches.get("help"), true);
  assertEquals(parse("run", "-h", "box", "img").values.get("hostname"), ["box"]);
  assertEquals(parse("ps", "-h").switches.get("help"), true);
});

Deno.test("parseGlobalWords stops at the verb", () => {
  const { words, rest } = parseGlobalWords(["--root", "/r", "--debug", "run", "--rm", "x"]);
  assertEquals(words.values.get("root"), ["/r"]);
  assertEquals(words.switches.get("debug"), true);
  assertEquals(rest, ["run", "--rm", "x"]);
  assertThrows(() => parseGlobalWords(["--nope", "run"]), UsageError, "unknown flag --nope");
});
