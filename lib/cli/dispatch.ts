/**
 * From the words of a command line to the verb that does it.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { didYouMean } from "../base/text.ts";
import { COMMANDS, findCommand, listShown } from "./commands.ts";
import { ungroup } from "./groups.ts";
import type { ErrorForm, Guise } from "./guise.ts";
import { writeLog } from "./log.ts";
import { reportError } from "./report.ts";
import type { Command, Host } from "./types.ts";
import { isOn, parseGlobalWords, parseWords } from "./words.ts";

/**
 * Runs paddock with these words; gives the exit code. Errors are printed here, once, and nowhere else.
 *
 * @param argv the words after the program's name
 */
export async function runCommandLine(argv: readonly string[], host: Host): Promise<number> {
  const guise = await loadGuise(argv, host);
  try {
    return await callVerb(guise === undefined ? ungroup(argv) : argv, host, guise);
  } catch (error) {
    const report = reportError(error, guise === undefined && asksForDebug(argv));
    const { text, exitCode } = guise === undefined ? report : guise.tell(report, describeCall(argv));
    host.warn(text);
    writeErrorLog(argv, text, host);
    return exitCode;
  }
}

/** What paddock is called by, where that is another runtime's name. */
async function loadGuise(argv: readonly string[], host: Host): Promise<Guise | undefined> {
  const name = valueOf(ownWords(argv), "called-as") ?? host.calledAs();
  return name === "runc" || name === "crun" ? (await import("./guise.ts")).findGuise(name) : undefined;
}

/**
 * `--log FILE` among the words before the verb: the error goes there as well, one line in the form of runc's log, which
 * engines read.
 */
function writeErrorLog(argv: readonly string[], text: string, host: Host): void {
  const { log, json } = describeCall(argv);
  if (log === undefined) return;
  writeLog(host, { file: log, json }, "error", text.split("\n")[0]!.replace(/^paddock: /, ""));
}

/** What decides how an error is told. */
function describeCall(argv: readonly string[]): ErrorForm {
  const own = ownWords(argv);
  return {
    verb: argv.slice(own.length).find((word) => !word.startsWith("-")),
    words: argv.slice(own.length + 1),
    log: valueOf(own, "log"),
    json: valueOf(own, "log-format") === "json",
  };
}

/** The words before the verb. */
function ownWords(argv: readonly string[]): readonly string[] {
  return argv.slice(0, Math.max(0, argv.findIndex((word) => COMMANDS.some((command) => command.name === word))));
}

function valueOf(words: readonly string[], name: string): string | undefined {
  const at = words.findLastIndex((word) => word === `--${name}` || word.startsWith(`--${name}=`));
  const word = words[at];
  return word?.includes("=") ? word.slice(word.indexOf("=") + 1) : word === undefined ? undefined : words[at + 1];
}

async function callVerb(argv: readonly string[], host: Host, guise: Guise | undefined): Promise<number> {
  const { words, rest } = parseGlobalWords(argv);
  const [name, ...own] = rest;
  if (isOn(words, "version")) {
    const { formatEngineVersion } = await import("./guise.ts");
    host.print(formatEngineVersion(guise));
    return 0;
  }
  if (guise !== undefined && (name === undefined || name === "help")) return await guise.help(own[0], host);
  if (name === undefined) {
    const { formatStartPage } = await import("./help.ts");
    host.print(formatStartPage());
    return 0;
  }
  const command = (guise?.demand ?? demand)(name);
  if (isOn(words, "help")) return await showHelp(command, host, guise?.name);
  // What stands before the verb may as well stand after it.
  return await callCommand(command, [...argv.slice(0, argv.length - rest.length), ...own], host, guise?.name);
}

async function callCommand(
  command: Command,
  argv: readonly string[],
  host: Host,
  program?: string,
): Promise<number> {
  const words = parseWords(command, argv);
  if (isOn(words, "help")) return await showHelp(command, host, program);
  const verb = await command.load();
  return await verb.run(words, host);
}

async function showHelp(command: Command, host: Host, program?: string): Promise<number> {
  const { formatHelp } = await import("./help.ts");
  host.print(formatHelp(command, program));
  return 0;
}

function demand(name: string): Command {
  const command = findCommand(name);
  if (command !== undefined) return command;
  const verbs = listShown().map((shown) => shown.name);
  throw new UsageError(`unknown verb '${name}'`, { hint: didYouMean(name, verbs) ?? `verbs are ${verbs.join(", ")}` });
}

/** `--debug` among paddock's own words: before the verb, or after it and before the first word that is no flag. */
function asksForDebug(argv: readonly string[]): boolean {
  const verb = argv.findIndex((word) => COMMANDS.some((command) => command.name === word));
  const after = argv.slice(verb + 1).findIndex((word) => !word.startsWith("-"));
  const own = after < 0 ? argv : argv.slice(0, verb + 1 + after);
  return own.includes("--debug");
}
