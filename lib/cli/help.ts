/**
 * Help texts from the command table, for a terminal of 80 columns.
 *
 * @module
 */
import { wrapText } from "../base/text.ts";
import { ENGINE_COMMANDS } from "./engine_commands.ts";
import type { Command, Option, Positional } from "./types.ts";
import { groupVerbs } from "./verb_groups.ts";
import { ENGINE_OPTIONS, GLOBAL_OPTIONS } from "./words.ts";

const WIDTH = 80;
/** Where the explanation of a flag begins. */
const COLUMN = 34;

/** What `paddock` alone prints: how to begin, and the verbs. */
export function formatStartPage(): string {
  const verbs = groupVerbs().flatMap(({ title, commands }) => [
    "",
    `${title}:`,
    ...commands.map(({ name, summary }) => `  ${name.padEnd(17)}${summary}`),
  ]);
  return lines([
    "paddock: real Linux containers from one file",
    "",
    "Begin with:",
    "  sudo paddock run -it host sh          a shell in a copy of this host",
    "  sudo paddock run rootfs.tar.gz        what `docker export` wrote",
    "  paddock explain rootfs.tar.gz sh      what that would do, step by step",
    "  paddock doctor                        what this host can do",
    ...verbs,
    "",
    "paddock VERB --help tells more.",
  ]);
}

/** What paddock prints in place of another runtime: the verbs and global options in the form that scripts look into. */
export function formatEnginePage(program: string, version: string): string {
  return lines([
    "NAME:",
    `   ${program} - Open Container Initiative runtime (paddock in its place)`,
    "",
    "USAGE:",
    `   ${program} [global options] command [command options] [arguments...]`,
    "",
    "VERSION:",
    ...version.trimEnd().split("\n").map((line) => `   ${line.replace(/^\S+ version /, "")}`),
    "",
    "COMMANDS:",
    ...ENGINE_COMMANDS.map(({ name, summary }) => `   ${name.padEnd(12)}${summary}`),
    "",
    "GLOBAL OPTIONS:",
    ...[...GLOBAL_OPTIONS, ...ENGINE_OPTIONS].filter(isShown).map(({ name, value, help }) =>
      `   ${`--${name}${value === undefined ? "" : ` ${value}`}`.padEnd(24)}${help}`
    ),
    `   ${"--version, -v".padEnd(24)}print the version`,
  ]);
}

/**
 * What `paddock VERB --help` prints.
 *
 * @param program the name that paddock was called by, where it stands in for another runtime.
 */
export function formatHelp(command: Command, program = "paddock"): string {
  const paragraphs = (command.description ?? "").split("\n\n").filter((text) => text !== "");
  return lines([
    `Usage: ${formatUsage(command, program)}`,
    "",
    capitalize(command.summary) + ".",
    ...paragraphs.flatMap((text) => ["", ...wrapText(text, WIDTH)]),
    "",
    ...formatExamples(command, program),
    ...groupOptions(command).flatMap(([group, options]) => [`${group}:`, ...options.flatMap(formatOption), ""]),
  ]).trimEnd() + "\n";
}

/** The form of a command line: `paddock run [OPTIONS] IMAGE [COMMAND...]`. */
export function formatUsage(command: Command, program = "paddock"): string {
  const options = command.options.some(isShown) ? ["[OPTIONS]"] : [];
  return [program, command.name, ...options, ...command.positionals.map(formatPositional)].join(" ");
}

/** Options by the heading under which they are shown, the global ones last. */
export function groupOptions(command: Command): readonly (readonly [string, readonly Option[]])[] {
  const groups = new Map<string, Option[]>();
  const own = new Set(command.options.flatMap((option) => option.short ?? []));
  // A letter that the verb has given away is not that of the global option (docker's `run -h`).
  const global = GLOBAL_OPTIONS.map(({ short, ...option }) =>
    short === undefined || own.has(short) ? option : { ...option, short }
  );
  for (const option of [...command.options.filter(isShown), ...global]) {
    const group = option.group ?? "Options";
    groups.set(group, [...groups.get(group) ?? [], option]);
  }
  return [...groups];
}

/** True for what help shows. */
export function isShown(option: Option): boolean {
  return option.aliasOf === undefined && option.refused === undefined;
}

function formatPositional({ name, optional, rest, repeat }: Positional): string {
  const word = rest || repeat ? `${name}...` : name;
  return optional ? `[${word}]` : word;
}

function formatExamples({ examples }: Command, program: string): string[] {
  if (examples.length === 0) return [];
  const called = (line: string) => line.replaceAll(/\bpaddock /g, `${program} `);
  const wrapped = examples.flatMap(([line, what]) => [`  ${what}:`, `    ${called(line)}`]);
  return ["Examples:", ...wrapped, ""];
}

function formatOption(option: Option): string[] {
  const short = option.short === undefined ? "    " : `-${option.short}, `;
  const left = `  ${short}--${option.name}${option.value === undefined ? "" : ` ${option.value}`}`;
  const text = wrapText(option.help, WIDTH - COLUMN);
  const fits = left.length <= COLUMN - 2;
  const first = fits ? [left.padEnd(COLUMN) + (text.shift() ?? "")] : [left];
  return [...first, ...text.map((line) => " ".repeat(COLUMN) + line)];
}

function capitalize(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
