/**
 * Completion scripts for shells, from the command table.
 *
 * Each script holds the table in its shell's own words, so that a press of the tab key starts nothing.
 *
 * @module
 */
import { quoteShell } from "../base/text.ts";
import { listShown } from "./commands.ts";
import { isShown } from "./help.ts";
import type { Command, Option } from "./types.ts";
import { GLOBAL_OPTIONS } from "./words.ts";

/** A script for each shell that there is one for. */
export const COMPLETIONS: Readonly<Record<string, () => string>> = {
  bash: formatBash,
  zsh: formatZsh,
  fish: formatFish,
};

/** What may complete a flag's value. */
type Values = "path" | "none" | readonly string[];

function formatBash(): string {
  const verbs = listShown();
  const flags = verbs.map((command) => `    ${command.name}) flags=${quoteShell(listFlags(command).join(" "))} ;;`);
  const values = collectValues(verbs).map(([names, value]) =>
    `    ${names.join("|")}) ${bashValues(value)}; return ;;`
  );
  const words = verbs.map((command) => {
    const kind = completesPath(command) ? 'COMPREPLY=($(compgen -f -- "$word"))' : bashWords(wordsFor(command));
    return `    ${command.name}) ${kind} ;;`;
  });
  return lines([
    "# bash completion for paddock",
    "_paddock() {",
    '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}" verb="" flags="" i',
    '  for ((i = 1; i < COMP_CWORD; i++)); do case "${COMP_WORDS[i]}" in --root | --data-root) ((i++)) ;; -*) ;; *) verb="${COMP_WORDS[i]}"; break ;; esac; done',
    '  case "$before" in',
    ...values,
    "  esac",
    '  case "$verb" in',
    ...flags,
    "  esac",
    '  if [[ -z "$verb" ]]; then',
    `    ${
      bashWords([...verbs.map((command) => command.name), ...GLOBAL_OPTIONS.map((option) => `--${option.name}`)])
    }`,
    "    return",
    "  fi",
    '  if [[ "$word" == -* ]]; then',
    '    COMPREPLY=($(compgen -W "$flags" -- "$word"))',
    "    return",
    "  fi",
    '  case "$verb" in',
    ...words,
    "  esac",
    "}",
    "complete -o filenames -o bashdefault -F _paddock paddock",
  ]);
}

function bashValues(value: Values): string {
  if (value === "path") return 'COMPREPLY=($(compgen -f -- "$word"))';
  return value === "none" ? "COMPREPLY=()" : bashWords(value);
}

function bashWords(words: readonly string[]): string {
  return `COMPREPLY=($(compgen -W ${quoteShell(words.join(" "))} -- "$word"))`;
}

function formatZsh(): string {
  const verbs = listShown();
  return lines([
    "#compdef paddock",
    "# zsh completion for paddock",
    "_paddock() {",
    "  local context state state_descr line",
    "  typeset -A opt_args",
    "  _arguments -C \\",
    ...GLOBAL_OPTIONS.map((option) => `    ${zshOption(option)} \\`),
    "    '1:verb:->verb' '*::word:->words'",
    '  case "$state" in',
    "    verb)",
    "      local -a verbs=(",
    ...verbs.map((command) => `        ${quoteShell(`${command.name}:${command.summary}`)}`),
    "      )",
    "      _describe verb verbs ;;",
    "    words)",
    '      case "${line[1]}" in',
    ...verbs.flatMap((command) => [
      `        ${command.name})`,
      "          _arguments \\",
      ...optionsOf(command).map((option) => `            ${zshOption(option)} \\`),
      `            ${zshWords(command)} ;;`,
    ]),
    "      esac ;;",
    "  esac",
    "}",
    '_paddock "$@"',
  ]);
}

function zshOption(option: Option): string {
  const help = option.help.replace(/[\][:\\]/g, "\\$&");
  const value = option.value === undefined
    ? ""
    : `:${option.value.replaceAll(":", "\\:")}:${zshValues(valuesOf(option))}`;
  const repeat = option.repeat ? "*" : "";
  return quoteShell(`${repeat}--${option.name}${option.value === undefined ? "" : "="}[${help}]${value}`);
}

function zshValues(value: Values): string {
  if (value === "path") return "_files";
  return value === "none" ? " " : `(${value.join(" ")})`;
}

function zshWords(command: Command): string {
  if (completesPath(command)) return "'*:file:_files'";
  const words = wordsFor(command);
  return words.length === 0 ? "'*: : '" : `'1:word:(${words.join(" ")})'`;
}

function formatFish(): string {
  const verbs = listShown();
  return lines([
    "# fish completion for paddock",
    "complete -c paddock -f",
    ...GLOBAL_OPTIONS.map((option) => fishOption("", option)),
    ...verbs.map((command) =>
      `complete -c paddock -n __fish_use_subcommand -a ${command.name} -d ${fishQuote(command.summary)}`
    ),
    ...verbs.flatMap((command) => {
      const when = `-n ${fishQuote(`__fish_seen_subcommand_from ${command.name}`)} `;
      const words = wordsFor(command);
      return [
        ...command.options.filter(isShown).map((option) => fishOption(when, option)),
        ...(completesPath(command) ? [`complete -c paddock ${when}-F`] : []),
        ...(words.length > 0 ? [`complete -c paddock ${when}-a ${fishQuote(words.join(" "))}`] : []),
      ];
    }),
  ]);
}

function fishOption(when: string, option: Option): string {
  const short = option.short === undefined || when === "" ? "" : ` -s ${option.short}`;
  return `complete -c paddock ${when}-l ${option.name}${short}${fishValues(option)} -d ${fishQuote(option.help)}`;
}

function fishValues(option: Option): string {
  if (option.value === undefined) return "";
  const value = valuesOf(option);
  if (value === "path") return " -r -F";
  return value === "none" ? " -x" : ` -x -a ${fishQuote(value.join(" "))}`;
}

function fishQuote(text: string): string {
  return `'${text.replace(/[\\']/g, "\\$&")}'`;
}

function listFlags(command: Command): string[] {
  return optionsOf(command).map((option) => `--${option.name}`);
}

function optionsOf(command: Command): readonly Option[] {
  return [...command.options.filter(isShown), ...GLOBAL_OPTIONS];
}

function valuesOf(option: Option): Values {
  return option.choices ?? option.suggestions ?? (option.path ? "path" : "none");
}

/** Flags with values, those that are completed alike together: `--name` and `-n`. */
function collectValues(verbs: readonly Command[]): readonly (readonly [readonly string[], Values])[] {
  const groups = new Map<string, { names: Set<string>; values: Values }>();
  for (const option of verbs.flatMap(optionsOf).filter((option) => option.value !== undefined)) {
    const values = valuesOf(option);
    const group = groups.get(String(values)) ?? { names: new Set(), values };
    group.names.add(`--${option.name}`);
    if (option.short !== undefined) group.names.add(`-${option.short}`);
    groups.set(String(values), group);
  }
  return [...groups.values()].map(({ names, values }) => [[...names], values]);
}

function completesPath(command: Command): boolean {
  return command.positionals.some((positional) => positional.path);
}

/** The words that a verb takes where they are few and known. */
function wordsFor(command: Command): readonly string[] {
  if (command.name === "help") return listShown().map((shown) => shown.name);
  return command.name === "completion" ? Object.keys(COMPLETIONS) : [];
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
