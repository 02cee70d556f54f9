/**
 * The shape of the command table.
 *
 * @module
 */

/** One flag, as data: parsing, help, completion and the manual page all read it. */
export interface Option {
  /** Without the dashes: `memory`. */
  readonly name: string;
  /** One letter: `m`. */
  readonly short?: string;
  /** What the value is, for help: `SIZE`. Without it the flag is a switch. */
  readonly value?: string;
  /** May be given more than once. */
  readonly repeat?: true;
  /** The only values it takes. */
  readonly choices?: readonly string[];
  /** Values that the shell completes, among others that it takes. */
  readonly suggestions?: readonly string[];
  /** Values are paths of the host: completed by the shell. */
  readonly path?: true;
  /** Half a line, lower case, no full stop. */
  readonly help: string;
  /** Heading under which help shows it; "Options" unless given. */
  readonly group?: string;
  /** Another spelling of the option of that name; not shown. */
  readonly aliasOf?: string;
  /** docker has it and we have not: what to do instead. Not shown. */
  readonly refused?: string;
}

/** A word that is no flag. */
export interface Positional {
  readonly name: string;
  readonly optional?: true;
  /** This and all words after it, flags included, are taken as they stand. */
  readonly rest?: true;
  /** As many words as there are, flags still being read between them. */
  readonly repeat?: true;
  /** Completed by the shell as a path. */
  readonly path?: true;
}

/** One verb. */
export interface Command {
  readonly name: string;
  /** Half a line, lower case, no full stop. */
  readonly summary: string;
  /** A few sentences for `--help`; paragraphs are split by an empty line. */
  readonly description?: string;
  readonly positionals: readonly Positional[];
  readonly options: readonly Option[];
  /** A command line (without `sudo`), and what it does. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  /** Called by paddock itself: not shown. */
  readonly hidden?: true;
  /** Loads the verb's code: a verb pays for itself only. */
  readonly load: () => Promise<Verb>;
}

/** The module of a verb. */
export interface Verb {
  /** Does it; gives the exit code. */
  readonly run: (words: Words, host: Host) => Promise<number>;
}

/** A command line taken apart: what each option was given, by the option's name, and the words that are no options. */
export interface Words {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly switches: ReadonlyMap<string, boolean>;
  readonly positionals: readonly string[];
}

/** What the command line may ask of the world around it while it is being understood; tests give their own. */
export interface Host {
  /** The working directory, absolute. */
  readonly cwd: () => string;
  /** The name that it was called by: the last part of the first word of its command line. */
  readonly calledAs: () => string;
  readonly env: (name: string) => string | undefined;
  /** @throws whatever reading a file throws */
  readonly readText: (path: string) => string;
  readonly isThere: (path: string) => boolean;
  readonly print: (text: string) => void;
  /** Adds to a file's end; where that cannot be, nothing is said: it is the log of an error. */
  readonly append: (path: string, text: string) => void;
  /** For remarks that are no result: standard error. */
  readonly warn: (text: string) => void;
}
