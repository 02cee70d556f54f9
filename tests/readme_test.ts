/**
 * What the README says: every file that it names is there, and every paddock command that it shows can be parsed.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { existsSync } from "@std/fs";
import { join } from "@std/path";
import { COMMANDS, findCommand } from "../lib/cli/commands.ts";
import { EXIT } from "../lib/base/errors.ts";
import { parseWords } from "../lib/cli/words.ts";
import denoJson from "../deno.json" with { type: "json" };

const ROOT = join(import.meta.dirname!, "..");
/** Cells of tables are padded by the formatter; that tells nothing. */
const README = Deno.readTextFileSync(join(ROOT, "README.md")).replaceAll(/(?<=\|.*) {2,}/g, " ");

/** Text between backquotes in a line. */
const QUOTED = [...README.replaceAll(/^```[\s\S]*?^```$/gm, "").matchAll(/`([^`\n]+)`/g)].map(([, text]) => text!);

/** Commands after a prompt, and those in the running text. */
const SHOWN = [
  ...[...README.matchAll(/^\$ (.*)$/gm)].map(([, line]) => line!),
  ...QUOTED,
];

Deno.test("every file that the README names exists", () => {
  const named = QUOTED.filter((text) => /^(lib|scripts|tests|main\.ts|LICENSE|\.ci)(\/[\w./]*)?$/.test(text));
  assert(named.length > 20, `only ${named.length} files are found: is this test looking in the right place?`);
  assertEquals(named.filter((name) => !existsSync(join(ROOT, name))), []);
});

Deno.test("the life of a run has ten steps, and each names its files", () => {
  const life = README.slice(README.indexOf("The life of `paddock run`"), README.indexOf("Imports point one way"));
  const steps = [...life.matchAll(/^(\d+)\. ([\s\S]*?)(?=^\d+\. |$(?![\s\S]))/gm)];
  assertEquals(steps.map(([, number]) => Number(number)), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  for (const [, number, text] of steps) assert(/`(lib\/[\w/]+|main)\.ts`/.test(text!), `step ${number} names no file`);
});

Deno.test("every paddock command that the README shows is one", () => {
  const lines = SHOWN.flatMap((text) => {
    const [, rest] = /^(?:sudo )?paddock ([a-z].*)$/.exec(text) ?? [];
    return rest === undefined ? [] : [splitWords(rest)];
  });
  assert(lines.length >= 15, `only ${lines.length} commands are found`);
  for (const [verb, ...words] of lines) {
    const command = findCommand(verb!);
    assert(command !== undefined, `paddock ${verb} is no verb`);
    // A verb alone, or one with a word for any flag, stands for its name.
    if (words.length > 0) parseWords(command, words);
  }
});

Deno.test("every flag that the README names is one of run's", () => {
  const run = findCommand("run")!;
  const names = new Set(
    run.options.flatMap(({ name, short }) => [`--${name}`, ...(short === undefined ? [] : [`-${short}`])]),
  );
  const ofOthers = new Set(["--help", "--root", "--version", "--cgroup-manager", "--systemd-cgroup"]);
  const named = QUOTED.filter((text) => /^(--[a-z-]+|-[a-z])( [a-z-]+)?$/.test(text)).map((text) =>
    text.split(" ")[0]!
  );
  assert(named.length > 30, `only ${named.length} flags are found`);
  assertEquals(named.filter((flag) => !names.has(flag) && !ofOthers.has(flag)), []);
});

Deno.test("the groups of flags are those of the help", () => {
  const rows = README.slice(README.indexOf("| group of"), README.indexOf("| exit code |"));
  const groups = [...rows.matchAll(/^\| ([A-Z]\w+) \|/gm)].map(([, name]) => name);
  assertEquals(groups, [...new Set(findCommand("run")!.options.flatMap(({ group }) => group ?? []))]);
});

Deno.test("the exit codes are those that paddock gives", () => {
  for (const code of Object.values(EXIT)) assert(README.includes(`\n| ${code} | `), `${code} is not in the table`);
});

Deno.test("every task that the README names is one, and the version of Deno is the one that is pinned", () => {
  const tasks = [...README.matchAll(/deno(?:@[\d.]+)? task ([\w:]+)/g)].map(([, name]) => name!);
  assert(tasks.length > 10);
  assertEquals(tasks.filter((name) => !(name in denoJson.tasks)), []);
  const pinned = /^readonly DENO_VERSION=(.*)$/m.exec(Deno.readTextFileSync(join(ROOT, ".ci/run")))?.[1];
  assertEquals([...new Set([...README.matchAll(/deno@([\d.]+)/g)].map(([, version]) => version))], [pinned]);
});

Deno.test("every verb is in the README", () => {
  const missing = COMMANDS.filter(({ name, hidden }) => !hidden && name !== "help").map(({ name }) => name)
    .filter((name) => !README.includes(`\`${name}\``) && !README.includes(`paddock ${name}`));
  assertEquals(missing, []);
});

Deno.test("every package of deno.json is justified, and no other is named", () => {
  const named = [...README.split("\n## Dependencies\n")[1]!.split("\n## ")[0]!.matchAll(/^- `([^`]+)`: /gm)].map((
    [, name],
  ) => name!).sort();
  assertEquals(named, Object.keys(denoJson.imports).sort());
});

/** Words as a shell takes them apart, as far as the README needs it: quotes, and what ends a command. */
function splitWords(line: string): string[] {
  const words = [...line.matchAll(/'([^']*)'|([^\s']+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
  const end = words.findIndex((word) => /^(\||>|&|&&|#|;)/.test(word));
  return end === -1 ? words : words.slice(0, end);
}
