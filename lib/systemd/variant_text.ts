/**
 * Variants as people write them: `uint64 5`, `'inactive-or-failed'`, `['a', 'b']` (GLib, "GVariant Text Format"), less
 * the maybe types, which D-Bus has not.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { splitSignature, type Value, type Variant } from "./value.ts";

/**
 * Reads a variant.
 *
 * @throws PaddockError where the text is none
 */
export function parseVariant(text: string): Variant {
  const reader = new TextReader(text);
  try {
    const variant = reader.read(undefined);
    reader.end();
    return variant;
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new PaddockError(`'${text}' is no value: ${cause.message}`, {
      hint: "write it as in GVariant's text format: uint64 5, true, 'text', ['a', 'b']",
      cause,
    });
  }
}

/** The words before a value that say its type, and the type of each. */
const TYPE_WORDS: Readonly<Record<string, string>> = {
  boolean: "b",
  byte: "y",
  int16: "n",
  uint16: "q",
  int32: "i",
  uint32: "u",
  handle: "h",
  int64: "x",
  uint64: "t",
  double: "d",
  string: "s",
  objectpath: "o",
  signature: "g",
};

/** The least and the greatest of each kind of whole number. */
const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  y: [0n, 0xffn],
  n: [-0x8000n, 0x7fffn],
  q: [0n, 0xffffn],
  i: [-0x80000000n, 0x7fffffffn],
  u: [0n, 0xffffffffn],
  h: [0n, 0xffffffffn],
  x: [-(1n << 63n), (1n << 63n) - 1n],
  t: [0n, (1n << 64n) - 1n],
};

const ESCAPES: Readonly<Record<string, string>> = { a: "\x07", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };

class TextReader {
  #at = 0;

  constructor(readonly text: string) {}

  /** The next value; of that type, where it is known from what stands around it. */
  read(wanted: string | undefined): Variant {
    const annotation = this.#match(/^@([a-z(){}]+)/);
    if (annotation !== undefined) return this.read(single(annotation[1]!));
    const open = this.#match(/^[[({<'"]/)?.[0];
    if (open === "[") return this.#array(wanted);
    if (open === "(") return this.#tuple(wanted);
    if (open === "{") return this.#dictionary(wanted);
    if (open === "<") return this.#boxed();
    if (open !== undefined) return this.#string(open, wanted ?? "s");
    const word = this.#match(/^[a-zA-Z][a-z0-9]*/)?.[0];
    if (word === "true" || word === "false") return { signature: expect(wanted ?? "b", "b"), value: word === "true" };
    if (word === "inf" || word === "nan") return this.#number(word, wanted);
    if (word !== undefined) {
      const type = TYPE_WORDS[word];
      if (type === undefined) throw new RangeError(`'${word}' is no type`);
      return this.read(expect(wanted ?? type, type));
    }
    const number = this.#match(/^[-+]?(?:0x[0-9a-fA-F]+|[0-9.]+(?:e[-+]?\d+)?|inf)/)?.[0];
    if (number === undefined) throw new RangeError(`nothing is understood at '${this.text.slice(this.#at)}'`);
    return this.#number(number, wanted);
  }

  /** @throws RangeError where something follows */
  end(): void {
    this.#match(/^$/);
    if (this.#at < this.text.length) throw new RangeError(`'${this.text.slice(this.#at)}' is left over`);
  }

  #number(text: string, wanted: string | undefined): Variant {
    const isWhole = /^[-+]?(0x[0-9a-fA-F]+|\d+)$/.test(text);
    const signature = wanted ?? (isWhole ? "i" : "d");
    if (signature === "d") {
      const value = Number(text.replace(/inf$/, "Infinity"));
      if (Number.isNaN(value) && text !== "nan") throw new RangeError(`'${text}' is no number`);
      return { signature, value };
    }
    const range = RANGES[signature];
    if (range === undefined || !isWhole) throw new RangeError(`'${text}' is not of the type '${signature}'`);
    const size = BigInt(text.replace(/^[-+]/, ""));
    const value = text.startsWith("-") ? -size : size;
    if (value < range[0] || value > range[1]) throw new RangeError(`${text} is beyond the type '${signature}'`);
    return { signature, value: "xt".includes(signature) ? value : Number(value) };
  }

  #string(quote: string, signature: string): Variant {
    if (!"sog".includes(signature)) throw new RangeError(`a text is not of the type '${signature}'`);
    let value = "";
    for (;;) {
      const letter = this.text.charAt(this.#at++);
      if (letter === "") throw new RangeError("a text has no end");
      if (letter === quote) return { signature, value };
      value += letter === "\\" ? this.#escape() : letter;
    }
  }

  #escape(): string {
    const code = /^u([0-9a-fA-F]{4})|^U([0-9a-fA-F]{8})/.exec(this.text.slice(this.#at));
    if (code !== null) {
      this.#at += code[0].length;
      return String.fromCodePoint(parseInt(code[1] ?? code[2]!, 16));
    }
    const letter = this.text.charAt(this.#at++);
    return ESCAPES[letter] ?? letter;
  }

  #array(wanted: string | undefined): Variant {
    if (wanted !== undefined && !wanted.startsWith("a")) {
      throw new RangeError(`an array is not of the type '${wanted}'`);
    }
    let element = wanted?.slice(1);
    const values: Value[] = [];
    this.#list("]", () => {
      const { signature, value } = this.read(element);
      element ??= signature;
      values.push(value);
    });
    if (element === undefined) throw new RangeError("an empty array needs its type, as in @as []");
    return { signature: `a${element}`, value: values };
  }

  #tuple(wanted: string | undefined): Variant {
    const types = wanted === undefined ? undefined : splitSignature(wanted.slice(1, -1));
    const all: Variant[] = [];
    this.#list(")", () => all.push(this.read(types?.[all.length])));
    const signature = `(${all.map((variant) => variant.signature).join("")})`;
    return { signature: expect(wanted ?? signature, signature), value: all.map(({ value }) => value) };
  }

  #dictionary(wanted: string | undefined): Variant {
    let [key, element] = wanted === undefined ? [] : splitSignature(wanted.slice(2, -1));
    const values: Value[] = [];
    this.#list("}", () => {
      const name = this.read(key);
      if (this.#match(/^:/) === undefined) throw new RangeError("a ':' is missing");
      const { signature, value } = this.read(element);
      key ??= name.signature;
      element ??= signature;
      values.push([name.value, value]);
    });
    if (key === undefined || element === undefined) throw new RangeError("an empty dictionary needs its type");
    const signature = `a{${key}${element}}`;
    return { signature: expect(wanted ?? signature, signature), value: values };
  }

  #boxed(): Variant {
    const value = this.read(undefined);
    if (this.#match(/^>/) === undefined) throw new RangeError("a '>' is missing");
    return { signature: "v", value };
  }

  /** Elements with commas between them, up to the closing bracket; one more comma at the end is fine. */
  #list(close: string, element: () => void): void {
    const isClosed = (): boolean => {
      this.#match(/^(?=.|$)/);
      if (this.text.charAt(this.#at) !== close) return false;
      this.#at++;
      return true;
    };
    while (!isClosed()) {
      element();
      if (isClosed()) return;
      if (this.#match(/^,/) === undefined) throw new RangeError(`a '${close}' is missing`);
    }
  }

  /** Takes what fits after white space. */
  #match(pattern: RegExp): RegExpExecArray | undefined {
    this.#at += /^\s*/.exec(this.text.slice(this.#at))![0].length;
    const found = pattern.exec(this.text.slice(this.#at));
    if (found === null) return undefined;
    this.#at += found[0].length;
    return found;
  }
}

function single(signature: string): string {
  if (splitSignature(signature).length !== 1) throw new RangeError(`'${signature}' is not one type`);
  return signature;
}

function expect(wanted: string, found: string): string {
  if (wanted !== found) throw new RangeError(`something of the type '${found}', where '${wanted}' is expected`);
  return found;
}
