/**
 * A command line taken apart by the table.
 *
 * The rules are docker's: a value stands after `=` or is the next word whatever it looks like (`--memory-swap -1`,
 * `--entrypoint ""`), short flags bundle (`-it`, `-m100m`), `--rm=false` undoes a switch, `--` ends the flags, and
 * so does the first word of a command (`paddock run IMAGE ls -l`). `parseArgs` of @std/cli takes a value that begins
 * with a dash for a flag and cannot say an empty one, so it is not used.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { didYouMean } from "../base/text.ts";
import { CGROUP_MANAGERS } from "../base/cgroup_managers.ts";
import type { Command, Option, Words } from "./types.ts";

/** Options that every verb takes. */
export const GLOBAL_OPTIONS: readonly Option[] = [
  {
    name: "root",
    value: "DIR",
    path: true,
    group: "Global options",
    help: "state of running containers (/run/paddock)",
  },
  {
    name: "data-root",
    value: "DIR",
    path: true,
    group: "Global options",
    help: "images and kept containers (/var/lib/paddock)",
  },
  { name: "debug", group: "Global options", help: "show where in paddock an error arose" },
  { name: "help", short: "h", group: "Global options", help: "show this help" },
];

/** What engines say to every OCI runtime; not shown to people. */
export const ENGINE_OPTIONS: readonly Option[] = [
  { name: "log", value: "FILE", help: "write errors there as well" },
  { name: "log-format", value: "FORMAT", choices: ["text", "json"], help: "of that file (text)" },
  { name: "systemd-cgroup", help: "let systemd make the cgroups" },
  { name: "rootless", value: "BOOL", help: "false or auto: root is needed" },
  { name: "cgroup-manager", value: "NAME", choices: CGROUP_MANAGERS, help: "who makes the cgroups (cgroupfs)" },
  { name: "criu", value: "FILE", help: "criu's program, for checkpoint and restore (criu)" },
  { name: "called-as", value: "NAME", help: "runc or crun: as if called by that name" },
];

/**
 * Takes the words after the verb apart.
 *
 * @throws {UsageError} naming the word that does not fit
 */
export function parseWords(command: Command, argv: readonly string[]): Words {
  const state = new State(command);
  let index = 0;
  while (index < argv.length) {
    const word = argv[index++] ?? "";
    if (word === "--") return state.finish(argv.slice(index));
    if (word.startsWith("--")) {
      if (state.takeLong(word, argv[index])) index++;
    } else if (word.startsWith("-") && word !== "-") {
      if (state.takeShort(word, argv[index])) index++;
    } else {
      state.positionals.push(word);
      if (state.restBegins()) return state.finish(argv.slice(index));
    }
  }
  return state.finish([]);
}

/**
 * Takes the global options before the verb apart, and gives the rest: the verb and its words.
 *
 * @throws {UsageError} naming the word that does not fit
 */
export function parseGlobalWords(argv: readonly string[]): { readonly words: Words; readonly rest: readonly string[] } {
  const table: Command = { ...NO_COMMAND, options: START_OPTIONS };
  const state = new State(table);
  let index = 0;
  for (; argv[index]?.startsWith("-") && argv[index] !== "-"; index++) {
    const word = argv[index] ?? "";
    const next = argv[index + 1];
    if (word.startsWith("--") ? state.takeLong(word, next) : state.takeShort(word, next)) index++;
  }
  return { words: state.finish([]), rest: argv.slice(index) };
}

/** A switch's state; false where it is not given. */
export function isOn(words: Words, name: string): boolean {
  return words.switches.get(name) ?? false;
}

/** The last value of an option; undefined where it is not given. */
export function lastValue(words: Words, name: string): string | undefined {
  return words.values.get(name)?.at(-1);
}

/** All values of an option, in order. */
export function allValues(words: Words, name: string): readonly string[] {
  return words.values.get(name) ?? [];
}

/** A command that has nothing. */
const NO_COMMAND: Command = {
  name: "",
  summary: "",
  positionals: [],
  options: [],
  examples: [],
  load: () => Promise.reject(new Error("no verb")),
};

/** What may stand before the verb beside the global options. */
const START_OPTIONS: readonly Option[] = [
  { name: "version", short: "V", help: "show the version" },
  { name: "v", short: "v", aliasOf: "version", help: "" },
];

class State {
  readonly values = new Map<string, string[]>();
  readonly switches = new Map<string, boolean>();
  readonly positionals: string[] = [];

  constructor(readonly command: Command) {}

  /** `--name`, `--name=value`, `--name value`; true where the next word was taken. */
  takeLong(word: string, next: string | undefined): boolean {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word.slice(2) : word.slice(2, equals);
    const option = this.#find((option) => option.name === name) ?? this.#refuse(`--${name}`);
    const value = equals < 0 ? undefined : word.slice(equals + 1);
    if (option.value === undefined) {
      this.#turn(option, `--${name}`, value ?? "true");
      return false;
    }
    this.#put(option, `--${name}`, value ?? next);
    return value === undefined;
  }

  /** `-it`, `-m100m`, `-m=100m`, `-m 100m`; true where the next word was taken. */
  takeShort(word: string, next: string | undefined): boolean {
    for (let at = 1; at < word.length; at++) {
      const letter = word.charAt(at);
      const option = this.#find((option) => option.short === letter) ??
        this.#refuse(word.length === 2 ? word : `-${letter} in ${word}`);
      const rest = word.slice(at + 1);
      if (option.value !== undefined) {
        this.#put(option, `-${letter}`, rest === "" ? next : rest.replace(/^=/, ""));
        return rest === "";
      }
      if (rest.startsWith("=")) {
        this.#turn(option, `-${letter}`, rest.slice(1));
        return false;
      }
      this.#turn(option, `-${letter}`, "true");
    }
    return false;
  }

  /** True where the words so far end in the one that takes everything after it as it stands. */
  restBegins(): boolean {
    const next = this.command.positionals[this.positionals.length];
    return next?.rest === true;
  }

  finish(rest: readonly string[]): Words {
    const positionals = [...this.positionals, ...rest];
    if (!isOn(this, "help")) checkPositionals(this.command, positionals);
    return { values: this.values, switches: this.switches, positionals };
  }

  #find(wanted: (option: Option) => boolean): Option | undefined {
    const option = this.command.options.find(wanted) ?? [...GLOBAL_OPTIONS, ...ENGINE_OPTIONS].find(wanted);
    if (option?.refused !== undefined) {
      throw new UsageError(`${this.command.name} has no --${option.name}`, { hint: option.refused });
    }
    return option?.aliasOf === undefined ? option : this.#find((other) => other.name === option.aliasOf);
  }

  #turn(option: Option, shown: string, value: string): void {
    const state = SWITCH_WORDS.get(value.toLowerCase());
    if (state === undefined) {
      throw new UsageError(`${shown} is a switch and takes no value '${value}'`, { hint: "true or false" });
    }
    this.switches.set(option.name, state);
  }

  #put(option: Option, shown: string, value: string | undefined): void {
    // podman knows by these words that a runtime has a flag.
    if (value === undefined) {
      throw new UsageError(`flag needs an argument: ${shown} ${option.value}`, seeHelp(this.command));
    }
    if (option.choices !== undefined && !option.choices.includes(value)) {
      throw new UsageError(`${shown} does not take '${value}'`, {
        hint: didYouMean(value, option.choices) ?? `it takes ${listWords(option.choices)}`,
      });
    }
    const given = this.values.get(option.name);
    if (given !== undefined && option.repeat) given.push(value);
    else this.values.set(option.name, [value]);
  }

  #refuse(shown: string): never {
    const known = [...this.command.options, ...GLOBAL_OPTIONS].filter((option) => option.refused === undefined);
    const names = known.map((option) => `--${option.name}`);
    const hint = shown.startsWith("--") ? didYouMean(shown, names) : undefined;
    throw new UsageError(`unknown flag ${shown}`, hint === undefined ? seeHelp(this.command) : { hint });
  }
}

/** Words that a switch takes after `=`, as docker's do. */
const SWITCH_WORDS: ReadonlyMap<string, boolean> = new Map([
  ["true", true],
  ["t", true],
  ["1", true],
  ["false", false],
  ["f", false],
  ["0", false],
]);

function checkPositionals(command: Command, given: readonly string[]): void {
  const needed = command.positionals.filter((positional) => !positional.optional && !positional.rest);
  const missing = needed[given.length];
  if (missing !== undefined) throw new UsageError(`${command.name} needs ${missing.name}`, seeHelp(command));
  const open = command.positionals.some((positional) => positional.rest || positional.repeat);
  const extra = given[command.positionals.length];
  if (!open && extra !== undefined) {
    throw new UsageError(`${command.name} takes no word '${extra}'`.trim(), seeHelp(command));
  }
}

function seeHelp(command: Command): { readonly hint: string } {
  return { hint: `see: paddock ${command.name === "" ? "" : `${command.name} `}--help` };
}

function listWords(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}
