import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { COMMANDS, findCommand, listShown } from "./commands.ts";
import { COMPLETIONS } from "./completion.ts";
import { formatHelp, formatStartPage, formatUsage, groupOptions, isShown } from "./help.ts";
import { formatManual } from "./manual.ts";
import { readRunOptions } from "./run_options.ts";
import { makeExampleHost } from "./host_example.ts";
import type { Command } from "./types.ts";
import { groupVerbs } from "./verb_groups.ts";
import { GLOBAL_OPTIONS, parseWords } from "./words.ts";

function help(name: string): string {
  return formatHelp(findCommand(name) as Command);
}

Deno.test("formatHelp fits 80 columns for every verb and shows every flag once", () => {
  for (const command of COMMANDS) {
    const text = formatHelp(command);
    const long = text.split("\n").filter((line) => line.length > 80);
    assertEquals(long, [], command.name);
    for (const option of [...command.options.filter(isShown), ...GLOBAL_OPTIONS]) {
      const shown = text.split("\n").filter((line) => new RegExp(`^  (-\\w, |    )--${option.name}( |$)`).test(line));
      assertEquals(shown.length, 1, `${command.name} --${option.name}`);
    }
  }
});

Deno.test("formatHelp of a small verb, letter by letter", () => {
  assertEquals(
    help("rm"),
    `Usage: paddock rm [OPTIONS] CONTAINER...

Remove containers that have ended.

Examples:
  what it wrote is gone, too:
    paddock rm web

Options:
  -f, --force                     kill it first where it runs
  -v, --volumes                   and its volumes, which go in any case

Global options:
      --root DIR                  state of running containers (/run/paddock)
      --data-root DIR             images and kept containers (/var/lib/paddock)
      --debug                     show where in paddock an error arose
  -h, --help                      show this help
`,
  );
});

Deno.test("formatHelp of run has its flags in groups, and -h is the host name's", () => {
  const text = help("run");
  assertStringIncludes(text, "Usage: paddock run [OPTIONS] IMAGE [COMMAND...]\n");
  const groups = groupOptions(findCommand("run") as Command).map(([group]) => group);
  assertEquals(groups, [
    "Container",
    "Health",
    "Image",
    "Process",
    "Files",
    "Limits",
    "Network",
    "Namespaces",
    "Security",
    "Bundles",
    "Global options",
  ]);
  assertStringIncludes(text, "  -m, --memory SIZE               memory; -1 is no limit\n");
  assertStringIncludes(text, "  -h, --hostname NAME             its host name\n");
  assertStringIncludes(text, "      --help                      show this help\n");
});

Deno.test("formatHelp breaks long flags and long explanations onto lines of their own", () => {
  assertStringIncludes(
    help("run"),
    "      --blkio-weight-device DEV:WEIGHT\n                                  the same for one device\n",
  );
  assertStringIncludes(
    help("run"),
    "file or directory of the host (ro is\n                                  recursive); a path alone: a directory of the\n",
  );
});

Deno.test("the start page names every verb that is shown, and none that is hidden", () => {
  const page = formatStartPage();
  for (const command of listShown()) assert(page.includes(`\n  ${command.name} `), command.name);
  assert(!page.includes("finish"));
  assert(page.split("\n").every((line) => line.length <= 80));
});

Deno.test("every example in the table is understood by the parser", () => {
  for (const command of COMMANDS) {
    for (const [line] of command.examples) {
      const argv = line.replace(/^.*\| (sudo )?(?=paddock)/, "").replace(/ (\||>|&&) .*/, "").split(" ");
      assertEquals(argv.splice(0, 2), ["paddock", command.name], line);
      const words = parseWords(command, argv);
      if (command.positionals[0]?.name === "IMAGE" && !words.values.has("bundle")) {
        readRunOptions(words, makeExampleHost());
      }
    }
  }
});

Deno.test("the table is sound: names and letters are one's own, explanations are half lines", () => {
  for (const command of COMMANDS) {
    const names = command.options.map((option) => option.name);
    const letters = command.options.flatMap((option) => option.short ?? []);
    assertEquals(names.length, new Set(names).size, command.name);
    assertEquals(letters.length, new Set(letters).size, command.name);
    for (const option of command.options.filter(isShown)) {
      assert(option.help !== "" && !option.help.endsWith("."), `${command.name} --${option.name}`);
    }
    for (const { aliasOf } of command.options) assert(aliasOf === undefined || names.includes(aliasOf));
    assert(!/^[A-Z]|\.$/.test(command.summary), command.name);
    assert(command.hidden || command.examples.length > 0, command.name);
  }
});

Deno.test("completion scripts hold every verb and flag", () => {
  for (const [shell, format] of Object.entries(COMPLETIONS)) {
    const script = format();
    for (const command of listShown()) assertStringIncludes(script, command.name, shell);
    for (const option of (findCommand("run") as Command).options.filter(isShown)) {
      assertStringIncludes(script, shell === "fish" ? `-l ${option.name} ` : `--${option.name}`, shell);
    }
    assert(!script.includes("finish"), shell);
    assert(!script.includes("cgroup-manager"), shell);
  }
  assertStringIncludes(
    COMPLETIONS["bash"]?.() ?? "",
    "--network) COMPREPLY=($(compgen -W 'none host bridge' -- \"$word\"))",
  );
  assertStringIncludes(COMPLETIONS["fish"]?.() ?? "", "-l network -x -a 'none host bridge'");
  assertStringIncludes(
    COMPLETIONS["zsh"]?.() ?? "",
    "'--network=[none (loopback only), host, bridge, another'\\''s NAME, container\\:ID or ns\\:PATH]:NETWORK:" +
      "(none host bridge)'",
  );
});

Deno.test("the manual page has every verb, and no line that roff would take for its own", () => {
  const page = formatManual();
  for (const command of listShown()) assertStringIncludes(page, formatUsage(command).replaceAll("-", "\\-"));
  const requests = new Set(page.split("\n").filter((line) => /^[.']/.test(line)).map((line) => line.split(" ")[0]));
  assertEquals([...requests].sort(), [".B", ".PP", ".SH", ".SS", ".TH", ".TP", ".br"]);
});

Deno.test("every verb's code is there", async () => {
  for (const command of COMMANDS) assertEquals(typeof (await command.load()).run, "function", command.name);
});

Deno.test("every verb stands under one heading, and few under that of the rest", () => {
  const groups = groupVerbs();
  const names = groups.flatMap(({ commands }) => commands.map(({ name }) => name));
  assertEquals(names.toSorted(), listShown().map(({ name }) => name).toSorted());
  assertEquals(groups.at(-1)?.commands.map(({ name }) => name), ["completion", "version", "help"]);
});
