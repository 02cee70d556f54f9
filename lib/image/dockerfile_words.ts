/**
 * Words of a Dockerfile: split at spaces that are not quoted, with variables put in (Dockerfile reference, "Environment
 * replacement"). Pure.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";

/** Splits a line at unquoted spaces; quotes and backslashes stay for `expandWord`. @throws UsageError */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word = "";
  let quote = "";
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at);
    if (letter === "\\" && quote !== "'") word += letter + text.charAt(++at);
    else if (quote === "" && /\s/.test(letter)) {
      if (word !== "") words.push(word);
      word = "";
    } else {
      if (quote === "" ? letter === '"' || letter === "'" : letter === quote) quote = quote === "" ? letter : "";
      word += letter;
    }
  }
  if (quote !== "") throw new UsageError(`a ${quote} is not closed`);
  return word === "" ? words : [...words, word];
}

/**
 * Takes quotes and backslashes away, and puts `$NAME`, `${NAME}`, `${NAME:-word}` and `${NAME:+word}` in.
 *
 * @throws UsageError
 */
export function expandWord(word: string, variables: ReadonlyMap<string, string>): string {
  let result = "";
  let quote = "";
  for (let at = 0; at < word.length;) {
    const letter = word.charAt(at);
    if (letter === "\\" && quote !== "'" && at + 1 < word.length) {
      const next = word.charAt(at + 1);
      // Between double quotes a backslash is itself before anything that it has no meaning for.
      result += quote === '"' && !['"', "$", "\\"].includes(next) ? `\\${next}` : next;
      at += 2;
    } else if (letter === "$" && quote !== "'") {
      const [length, value] = readVariable(word.slice(at), variables);
      result += value;
      at += length;
    } else if (quote === "" ? letter === '"' || letter === "'" : letter === quote) {
      quote = quote === "" ? letter : "";
      at++;
    } else {
      result += letter;
      at++;
    }
  }
  return result;
}

/** How many letters a variable takes, and its value. */
function readVariable(text: string, variables: ReadonlyMap<string, string>): readonly [number, string] {
  const [plain, name] = /^\$([A-Za-z_][A-Za-z0-9_]*)/.exec(text) ?? [];
  if (plain !== undefined && name !== undefined) return [plain.length, variables.get(name) ?? ""];
  if (!text.startsWith("${")) return [1, "$"];
  const [braced, key, sign, other] = /^\$\{([A-Za-z_][A-Za-z0-9_]*)(?::([-+])([^}]*))?\}/.exec(text) ?? [];
  if (braced === undefined || key === undefined) {
    throw new UsageError(`'${text}' names no variable: \${NAME}, \${NAME:-word} and \${NAME:+word} do`);
  }
  const value = variables.get(key) ?? "";
  const alternative = (): string => expandWord(other ?? "", variables);
  if (sign === "-") return [braced.length, value === "" ? alternative() : value];
  return [braced.length, sign === "+" ? (value === "" ? "" : alternative()) : value];
}
