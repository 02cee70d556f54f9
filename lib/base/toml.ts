/**
 * Reads TOML as configuration files of container tools are written in it (toml.io, v1.0): tables, arrays of tables,
 * dotted keys, strings of all four kinds, numbers, booleans, arrays, inline tables. Dates are refused. Pure.
 *
 * @module
 */
import { PaddockError } from "./errors.ts";

/** A value of a document. */
export type TomlValue = string | number | boolean | readonly TomlValue[] | TomlTable;

/** A table; it has no prototype, so a key is nothing but a key. */
export interface TomlTable {
  readonly [key: string]: TomlValue;
}

/** @param subject what it is, for errors: `"/etc/containers/registries.conf"`. @throws PaddockError with the line */
export function parseToml(text: string, subject: string): TomlTable {
  return new TomlReader(text.replace(/^\ufeff/, "").replaceAll("\r\n", "\n"), subject).read();
}

type Table = Record<string, unknown>;

/** Tables that were written out, and may not be written a second time. */
const DEFINED = Symbol("defined");
const DEEPEST = 50;

class TomlReader {
  #at = 0;

  constructor(private readonly text: string, private readonly subject: string) {}

  read(): TomlTable {
    const root = newTable();
    let current = root;
    for (this.#skipLines(); this.#at < this.text.length; this.#skipLines()) {
      if (this.#take("[[")) current = this.#arrayOfTables(root);
      else if (this.#take("[")) current = this.#table(root);
      else this.#pair(current, 0);
      this.#endLine();
    }
    return root as unknown as TomlTable;
  }

  #table(root: Table): Table {
    const keys = this.#keys();
    this.#require("]");
    const table = this.#descend(root, keys);
    if (DEFINED in table) this.#fail(`table ${keys.join(".")} comes twice`);
    Object.defineProperty(table, DEFINED, { value: true });
    return table;
  }

  #arrayOfTables(root: Table): Table {
    const keys = this.#keys();
    this.#require("]]");
    const last = keys.pop()!;
    const parent = this.#descend(root, keys);
    const list = parent[last] ??= [];
    if (!Array.isArray(list) || list.some((entry) => typeof entry !== "object")) {
      this.#fail(`${last} is no array of tables`);
    }
    const table = newTable();
    (list as unknown[]).push(table);
    return table;
  }

  /** The table that keys lead to, made where it is missing; of an array of tables its last. */
  #descend(from: Table, keys: readonly string[]): Table {
    let at = from;
    for (const key of keys) {
      const value = at[key] ??= newTable();
      const next = Array.isArray(value) ? value.at(-1) : value;
      if (typeof next !== "object" || next === null) this.#fail(`${key} is no table`);
      at = next as Table;
    }
    return at;
  }

  #pair(table: Table, depth: number): void {
    const keys = this.#keys();
    this.#require("=");
    this.#skipBlanks();
    const last = keys.pop()!;
    const target = this.#descend(table, keys);
    if (last in target) this.#fail(`${last} comes twice`);
    target[last] = this.#value(depth);
  }

  #keys(): string[] {
    const keys: string[] = [];
    do {
      this.#skipBlanks();
      const bare = this.#match(/[A-Za-z0-9_-]+/y);
      keys.push(bare ?? this.#shortString() ?? this.#fail("a key is wanted"));
      this.#skipBlanks();
    } while (this.#take("."));
    return keys;
  }

  #value(depth: number): unknown {
    if (depth > DEEPEST) this.#fail("nested too deep");
    const string = this.#longString() ?? this.#shortString();
    if (string !== undefined) return string;
    if (this.#take("[")) return this.#array(depth);
    if (this.#take("{")) return this.#inlineTable(depth);
    const word = this.#match(/[A-Za-z0-9_+.:-]+/y) ?? this.#fail("a value is wanted");
    if (word === "true" || word === "false") return word === "true";
    const digits = word.replaceAll("_", "");
    if (/^[+-]?(\d+(\.\d+)?([eE][+-]?\d+)?|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)$/.test(digits)) return Number(digits);
    return this.#fail(`${JSON.stringify(word)} is no value that is known here`);
  }

  #array(depth: number): unknown[] {
    const values: unknown[] = [];
    for (this.#skipLines(); !this.#take("]"); this.#skipLines()) {
      values.push(this.#value(depth + 1));
      this.#skipLines();
      if (this.#take(",")) continue;
      this.#require("]");
      break;
    }
    return values;
  }

  #inlineTable(depth: number): Table {
    const table = newTable();
    this.#skipBlanks();
    if (this.#take("}")) return table;
    do this.#pair(table, depth + 1); while (this.#skipBlanks() || this.#take(","));
    this.#require("}");
    return table;
  }

  #longString(): string | undefined {
    for (const quote of ['"""', "'''"]) {
      if (!this.#take(quote)) continue;
      this.#take("\n");
      const isBasic = quote === '"""';
      const body = this.#match(
        isBasic ? /(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{0,2}(?=""")/y : /(?:[^']|'{1,2}(?!'))*'{0,2}(?=''')/y,
      );
      if (body === undefined || !this.#take(quote)) this.#fail("a string without end");
      return isBasic ? this.#unescape(body!.replace(/\\[ \t]*\n\s*/g, "")) : body;
    }
    return undefined;
  }

  #shortString(): string | undefined {
    const basic = this.#match(/"(?:[^"\\\n]|\\.)*"/y);
    if (basic !== undefined) return this.#unescape(basic.slice(1, -1));
    const literal = this.#match(/'[^'\n]*'/y);
    if (literal !== undefined) return literal.slice(1, -1);
    if (/["']/.test(this.text[this.#at] ?? "")) this.#fail("a string without end");
    return undefined;
  }

  #unescape(text: string): string {
    return text.replace(/\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|[\s\S])/g, (_, code: string) => {
      if (code.length > 1) {
        const point = parseInt(code.slice(1), 16);
        return point <= 0x10ffff ? String.fromCodePoint(point) : this.#fail("a character that there is not");
      }
      return ESCAPES[code] ?? this.#fail(`\\${code} is no escape`);
    });
  }

  #endLine(): void {
    this.#skipBlanks();
    this.#match(/#[^\n]*/y);
    if (this.#at < this.text.length && !this.#take("\n")) this.#fail("the line should end here");
  }

  /** Blanks, ends of lines and comments. */
  #skipLines(): void {
    this.#match(/(?:[ \t\n]|#[^\n]*)+/y);
  }

  /** Gives false, so that it may stand in a condition. */
  #skipBlanks(): false {
    this.#match(/[ \t]+/y);
    return false;
  }

  #take(word: string): boolean {
    if (!this.text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  #require(word: string): void {
    this.#skipBlanks();
    if (!this.#take(word)) this.#fail(`"${word}" is wanted`);
  }

  #match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.#at += found.length;
    return found;
  }

  #fail(why: string): never {
    const line = this.text.slice(0, this.#at).split("\n").length;
    throw new PaddockError(`${this.subject}: line ${line}: ${why}`, {
      hint: "it is TOML: see man 5 containers-registries.conf",
    });
  }
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  t: "\t",
  n: "\n",
  f: "\f",
  r: "\r",
  e: "\x1b",
  '"': '"',
  "\\": "\\",
};

function newTable(): Table {
  return Object.create(null);
}
