/**
 * From the words of a command line to the verb that does it.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { didYouMean } from "../base/text.ts";
import { COMMANDS, findCommand, listShown } from "./commands.ts";
import { reportError } from "./report.ts";
import type { Command, Host } from "./types.ts";
import { isOn, parseGlobalWords, parseWords } from "./words.ts";

/**
 * Runs paddock with these words; gives the exit code. Errors are printed here, once, and nowhere else.
 *
 * @param argv the words after the program's name
 */
export async function runCommandLine(argv: readonly string[], host: Host): Promise<number> {
  try {
    return await callVerb(argv, host);
  } catch (error) {
    const { text, exitCode } = reportError(error, asksForDebug(argv));
    host.warn(text);
    return exitCode;
  }
}

async function callVerb(argv: readonly string[], host: Host): Promise<number> {
  const { words, rest } = parseGlobalWords(argv);
  const [name, ...own] = rest;
  if (isOn(words, "version")) return await callCommand(demand("version"), [], host);
  if (name === undefined) {
    const { formatStartPage } = await import("./help.ts");
    host.print(formatStartPage());
    return 0;
  }
  const command = demand(name);
  if (isOn(words, "help")) return await showHelp(command, host);
  // What stands before the verb may as well stand after it.
  return await callCommand(command, [...argv.slice(0, argv.length - rest.length), ...own], host);
}

async function callCommand(command: Command, argv: readonly string[], host: Host): Promise<number> {
  const words = parseWords(command, argv);
  if (isOn(words, "help")) return await showHelp(command, host);
  const verb = await command.load();
  return await verb.run(words, host);
}

async function showHelp(command: Command, host: Host): Promise<number> {
  const { formatHelp } = await import("./help.ts");
  host.print(formatHelp(command));
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
