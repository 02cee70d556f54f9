/**
 * Stand-in for `@std/cli`, for hosts that cannot reach JSR: `parseArgs` with the same results for the options that
 * are declared here.
 *
 * @module
 */

/** What `parseArgs` gives: a value per flag, the operands in `_`, and what stood after `--`. */
// deno-lint-ignore no-explicit-any -- as in the original, where flags are not declared one by one
export type Args = Record<string, any> & { _: (string | number)[]; "--"?: string[] };

/** How `parseArgs` reads a command line. */
export interface ParseOptions {
  /** What follows `--` goes into the key `--` of the result instead of `_`. */
  readonly "--"?: boolean;
  readonly alias?: Readonly<Record<string, string | readonly string[]>>;
  readonly boolean?: boolean | string | readonly string[];
  readonly string?: string | readonly string[];
  readonly collect?: string | readonly string[];
  readonly negatable?: string | readonly string[];
  readonly default?: Readonly<Record<string, unknown>>;
  /** Everything from the first operand on goes into `_`. */
  readonly stopEarly?: boolean;
  /** Called for each flag and operand that is not declared; false leaves it out of the result. */
  readonly unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Reads a command line into flags and operands. */
export function parseArgs(args: string[], options: ParseOptions = {}): Args {
  const parser = new Parser(options);
  const end = args.indexOf("--");
  const rest = end < 0 ? [] : args.slice(end + 1);
  parser.readAll(end < 0 ? args : args.slice(0, end));
  return parser.finish(rest);
}

type Value = string | number | boolean;

class Parser {
  readonly #aliases = new Map<string, Set<string>>();
  readonly #booleans: Set<string>;
  readonly #strings: Set<string>;
  readonly #collected: Set<string>;
  readonly #negatable: Set<string>;
  readonly #allBooleans: boolean;
  readonly #options: ParseOptions;
  readonly #result: Args = { _: [] };

  constructor(options: ParseOptions) {
    this.#options = options;
    for (const [key, value] of Object.entries(options.alias ?? {})) {
      const group = [key, ...listOf(value)];
      for (const name of group) this.#aliases.set(name, new Set(group.filter((other) => other !== name)));
    }
    this.#allBooleans = options.boolean === true;
    this.#booleans = this.#withAliases(typeof options.boolean === "boolean" ? [] : listOf(options.boolean));
    this.#strings = this.#withAliases(listOf(options.string));
    this.#collected = this.#withAliases(listOf(options.collect));
    this.#negatable = this.#withAliases(listOf(options.negatable));
  }

  readAll(args: readonly string[]): void {
    for (let at = 0; at < args.length;) {
      const arg = args[at]!;
      const next = args[at + 1];
      if (arg.startsWith("--") && arg.length > 2) at += this.#readLong(arg, next);
      else if (arg.startsWith("-") && arg.length > 1) at += this.#readShort(arg, next);
      else {
        this.#readOperand(arg);
        at++;
        if (this.#options.stopEarly === true) {
          this.#result._.push(...args.slice(at));
          return;
        }
      }
    }
  }

  finish(rest: readonly string[]): Args {
    for (const [key, value] of Object.entries(this.#options.default ?? {})) {
      if (this.#has(key)) continue;
      for (const name of this.#namesOf(key)) this.#put(name, value, false);
    }
    for (const key of this.#booleans) if (!this.#has(key)) this.#put(key, this.#collected.has(key) ? [] : false, false);
    for (const key of this.#strings) if (!this.#has(key) && this.#collected.has(key)) this.#put(key, [], false);
    if (this.#options["--"] === true) this.#result["--"] = [...rest];
    else this.#result._.push(...rest);
    return this.#result;
  }

  /** Gives how many words it took: one, or two with the value. */
  #readLong(arg: string, next: string | undefined): number {
    const equals = arg.indexOf("=", 3);
    if (equals > 0 && equals < arg.length - 1) {
      const key = arg.slice(2, equals);
      const text = arg.slice(equals + 1);
      this.#set(key, this.#booleans.has(key) ? text !== "false" : text, arg);
      return 1;
    }
    const key = arg.slice(2);
    if (key.startsWith("no-") && this.#negatable.has(key.slice(3))) {
      this.#set(key.slice(3), false, arg, false);
      return 1;
    }
    return this.#readWithNext(key, arg, next, (word) => !word.startsWith("-") && !this.#allBooleans);
  }

  #readShort(arg: string, next: string | undefined): number {
    for (let at = 1; at < arg.length - 1; at++) {
      const letter = arg[at]!;
      const rest = arg.slice(at + 1);
      const attached = attachedValue(letter, rest);
      if (attached !== undefined) {
        this.#set(letter, attached, arg);
        if (rest !== "-") return 1;
        continue;
      }
      this.#set(letter, this.#strings.has(letter) ? "" : true, arg);
    }
    const last = arg.at(-1)!;
    if (last === "-") return 1;
    return this.#readWithNext(last, arg, next, (word) => !/^--?[^-]/.test(word));
  }

  /** A flag without a value of its own: the next word is its value if the flag takes one and the word may be one. */
  #readWithNext(key: string, arg: string, next: string | undefined, mayBeValue: (word: string) => boolean): number {
    if (next !== undefined && next !== "") {
      if (mayBeValue(next) && !this.#isBoolean(key)) {
        this.#set(key, next, arg);
        return 2;
      }
      if (next === "true" || next === "false") {
        this.#set(key, next === "true", arg);
        return 2;
      }
    }
    this.#set(key, this.#strings.has(key) ? "" : true, arg);
    return 1;
  }

  #readOperand(arg: string): void {
    if (this.#options.unknown?.(arg) === false) return;
    this.#result._.push(this.#strings.has("_") || !isNumeric(arg) ? arg : Number(arg));
  }

  #set(key: string, raw: Value, arg: string, mayCollect = true): void {
    const isLongBoolean = this.#allBooleans && /^--[^=]+$/.test(arg);
    const isDeclared = this.#booleans.has(key) || this.#strings.has(key) || this.#aliases.has(key) || isLongBoolean;
    if (!isDeclared && this.#options.unknown?.(arg, key, raw) === false) return;
    const value = typeof raw === "string" && !this.#strings.has(key) && isNumeric(raw) ? Number(raw) : raw;
    for (const name of this.#namesOf(key)) this.#put(name, value, mayCollect && this.#collected.has(key));
  }

  #put(key: string, value: unknown, collect: boolean): void {
    const { holder, name } = this.#place(key, true)!;
    const have = holder[name];
    if (!collect) holder[name] = value;
    else if (Array.isArray(have)) have.push(value);
    else holder[name] = have ? [have, value] : [value];
  }

  #has(key: string): boolean {
    const place = this.#place(key, false);
    return place !== undefined && Object.hasOwn(place.holder, place.name);
  }

  /** A key with dots names a value inside objects. */
  #place(key: string, create: boolean): { holder: Record<string, unknown>; name: string } | undefined {
    const path = key.split(".");
    const name = path.pop()!;
    let holder: Record<string, unknown> = this.#result;
    for (const part of path) {
      if (!holder[part] && !create) return undefined;
      holder = (holder[part] ??= {}) as Record<string, unknown>;
    }
    return { holder, name };
  }

  #namesOf(key: string): string[] {
    return [key, ...this.#aliases.get(key) ?? []];
  }

  #isBoolean(key: string): boolean {
    return this.#namesOf(key).some((name) => this.#booleans.has(name));
  }

  #withAliases(keys: readonly string[]): Set<string> {
    return new Set(keys.filter((key) => key !== "").flatMap((key) => this.#namesOf(key)));
  }
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return [];
  return typeof value === "string" ? [value] : value;
}

/** `-m100`, `-m=100m`, `-v/a:/b`: what is written against a letter, if it is a value and not more letters. */
function attachedValue(letter: string, rest: string): string | undefined {
  if (rest === "-") return rest;
  if (/[A-Za-z]/.test(letter)) {
    const equals = /=(.+)/.exec(rest);
    if (equals !== null) return equals[1]!;
    if (/-?\d+(\.\d*)?(e-?\d+)?$/.test(rest)) return rest;
  }
  return /^\W/.test(rest) ? rest : undefined;
}

function isNumeric(text: string): boolean {
  return text.trim() !== "" && Number.isFinite(Number(text));
}
