/**
 * The manual page (`man 7 man`), from the command table.
 *
 * @module
 */
import { EXIT } from "../base/errors.ts";
import { listShown } from "./commands.ts";
import { formatUsage, groupOptions } from "./help.ts";
import type { Command, Option } from "./types.ts";

/** The source of `paddock(1)`. */
export function formatManual(): string {
  return [
    ".TH PADDOCK 1",
    ".SH NAME",
    "paddock \\- real Linux containers from one file",
    ".SH SYNOPSIS",
    ...listShown().flatMap((command) => [escapeRoff(formatUsage(command)), ".br"]),
    ...listShown().flatMap(formatVerb),
    ".SH EXIT STATUS",
    "That of the container's command, or:",
    ...Object.entries(EXIT_TEXTS).flatMap(([code, text]) => [".TP", `.B ${code}`, escapeRoff(text)]),
  ].map((line) => `${line}\n`).join("");
}

const EXIT_TEXTS: Readonly<Record<string, string>> = {
  [EXIT.failed]: "paddock failed or was called wrongly",
  [EXIT.cannotExecute]: "the command cannot be executed",
  [EXIT.notFound]: "the command is not there",
  "128+N": "signal N ended the command",
};

function formatVerb(command: Command): string[] {
  const paragraphs = (command.description ?? "").split("\n\n").filter((text) => text !== "");
  return [
    `.SH ${command.name.toUpperCase().replaceAll("-", "\\-")}`,
    `.B ${escapeRoff(formatUsage(command))}`,
    ".PP",
    escapeRoff(command.summary.charAt(0).toUpperCase() + command.summary.slice(1) + "."),
    ...paragraphs.flatMap((text) => [".PP", escapeRoff(text)]),
    ...groupOptions(command)
      .filter(([group]) => group !== "Global options" || command.name === "help")
      .flatMap(([group, options]) => [`.SS ${group}`, ...options.flatMap(formatOption)]),
    ...(command.examples.length === 0 ? [] : [".SS Examples"]),
    ...command.examples.flatMap(([line, what]) => [".TP", `.B ${escapeRoff(line)}`, escapeRoff(what)]),
  ];
}

function formatOption({ name, short, value, help }: Option): string[] {
  const letter = short === undefined ? "" : `-${short}, `;
  return [".TP", `.B ${escapeRoff(`${letter}--${name}${value === undefined ? "" : ` ${value}`}`)}`, escapeRoff(help)];
}

/** Text that no line of roff's own can begin in. */
function escapeRoff(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&");
}
