/**
 * paddock under another runtime's name: called through a link named `runc` or `crun`, it has that tool's words.
 *
 * ```
 *   ln -s paddock /usr/local/sbin/runc
 *   runc run -b BUNDLE ID     the bundle's form of run, and no other
 *   runc --version            "runc version …", which engines read
 *   runc state nosuch         time=… level=error msg="…", and exit code 1
 * ```
 *
 * Containers lie where paddock's own do unless `--root` says otherwise: what the other tool has made is not taken over.
 *
 * @module
 */
import { readBuildInfo } from "../base/build_info.ts";
import { UsageError } from "../base/errors.ts";
import { escapeControl } from "../base/text.ts";
import { OCI_VERSION } from "../runtime/oci_version.ts";
import { findCommand } from "./commands.ts";
import { ENGINE_COMMANDS, findEngineCommand } from "./engine_commands.ts";
import type { Report } from "./report.ts";
import type { Command, Host } from "./types.ts";

/** A tool whose place paddock can take. */
export interface Guise {
  readonly name: "runc" | "crun";
  /** The version of it whose verbs and flags these are. */
  readonly version: string;
  /** The last lines of its `--version`. */
  readonly more: readonly string[];
  /** One of its verbs. @throws UsageError where it has none of that name. */
  readonly demand: (verb: string) => Command;
  /** Prints its help, or that of a verb; gives the exit code. */
  readonly help: (verb: string | undefined, host: Host) => Promise<number>;
  /** An error in its manner. */
  readonly tell: (report: Report, form: ErrorForm) => Report;
}

/** The tool of that name. */
export function findGuise(name: Guise["name"]): Guise {
  return {
    name,
    ...VERSIONS[name],
    demand,
    help: (verb, host) => showHelp(name, verb, host),
    tell: (report, form) => tell(name, report, form),
  };
}

const VERSIONS: Readonly<Record<Guise["name"], Pick<Guise, "version" | "more">>> = {
  runc: { version: "1.3.0", more: [] },
  crun: { version: "1.20", more: ["+SYSTEMD +SELINUX +APPARMOR +CAP +SECCOMP +EBPF +CRIU"] },
};

/** What `--version` prints: the name and the version first, then one field on a line, as engines take it apart. */
export function formatEngineVersion(guise?: Guise): string {
  const { version, revision, runtime } = readBuildInfo();
  return [
    guise === undefined ? `paddock version ${version}` : `${guise.name} version ${guise.version}+paddock.${version}`,
    ...(revision === undefined ? [] : [`commit: ${revision}`]),
    `spec: ${OCI_VERSION}`,
    `deno: ${runtime}`,
    ...(guise?.more ?? []),
  ].map((line) => `${line}\n`).join("");
}

async function showHelp(name: Guise["name"], verb: string | undefined, host: Host): Promise<number> {
  const { formatEnginePage, formatHelp } = await import("./help.ts");
  host.print(
    verb === undefined ? formatEnginePage(name, formatEngineVersion(findGuise(name))) : formatHelp(demand(verb), name),
  );
  return 0;
}

function demand(verb: string): Command {
  const command = findEngineCommand(verb) ?? findCommand(verb);
  if (command !== undefined && (command.hidden || ENGINE_COMMANDS.some(({ name }) => name === verb))) return command;
  throw new UsageError(`No help topic for '${verb}'`);
}

/** How an error is told, beside its own words. */
export interface ErrorForm {
  /** The verb that failed; undefined where none was understood. */
  readonly verb: string | undefined;
  /** The words after it. */
  readonly words: readonly string[];
  /** The file of `--log`: it has the line, and standard error the words alone. */
  readonly log: string | undefined;
  readonly json: boolean;
}

/** An error in the manner of the tool: runc's line of a log, crun's bare words, and their exit codes. */
function tell(name: Guise["name"], { text, exitCode }: Report, form: ErrorForm): Report {
  if (text === "") return { text, exitCode };
  const verb = verbOf(form);
  const [first = "", ...hints] = text.trimEnd().split("\n");
  const message = `${PREFIXES[verb]?.(name) ?? ""}${first.replace(/^paddock: /, "")}`;
  const isLine = form.log === undefined && (name === "runc" || form.json);
  return {
    text: [isLine ? formatLogLine(message, form.json) : message, ...(form.json ? [] : hints)]
      .map((line) => `${line}\n`).join(""),
    exitCode: verb === "exec" && name === "runc" ? 255 : 1,
  };
}

/** A paddock that finishes speaks for the verb that began. */
function verbOf({ verb = "", words }: ErrorForm): string {
  if (verb !== "finish") return verb;
  return words.includes("--session") ? "exec" : words.includes("--created") ? "create" : "run";
}

/** What runc puts before the words of an error. */
const PREFIXES: Readonly<Record<string, (name: string) => string>> = {
  create: (name) => `${name} create failed: `,
  run: (name) => `${name} run failed: `,
  exec: () => "exec failed: ",
};

/** One line of a log as runc writes it: logrus's text form, or JSON with level, msg and time. */
function formatLogLine(message: string, json: boolean): string {
  const entry = { level: "error", msg: message, time: `${new Date().toISOString().slice(0, 19)}Z` };
  if (json) return JSON.stringify(entry);
  return `time=${JSON.stringify(entry.time)} level=error msg=${JSON.stringify(escapeControl(entry.msg))}`;
}
