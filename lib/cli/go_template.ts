/**
 * `--format` as docker's: Go templates, as far as people write them on a command line. `{{.Config.Env}}`, `{{json .}}`,
 * `{{index .RepoTags 0}}`, `{{len .}}`, `{{join .RepoTags ","}}`, `{{range .Layers}}…{{else}}…{{end}}`,
 * `{{if .Config.User}}…{{else}}…{{end}}`. Pure.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";

type Scope = Readonly<Record<string, unknown>>;

type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "value"; readonly words: readonly string[] }
  | {
    readonly kind: "range" | "if" | "with";
    readonly words: readonly string[];
    readonly names: readonly string[];
    readonly body: readonly Node[];
    readonly otherwise: readonly Node[];
  };

/**
 * Fills a template in.
 *
 * @throws UsageError for a template that makes no sense, and a field that is not there.
 */
export function fillTemplate(template: string, value: unknown): string {
  const tokens = tokenize(template);
  const { nodes } = parse(tokens, 0, undefined);
  return render(nodes, value, { "$": value });
}

/** `json` alone is docker's word for a line of JSON. */
export function formatByTemplate(template: string, value: unknown): string {
  return fillTemplate(template === "json" ? "{{json .}}" : template, value);
}

type Token = { readonly text: string } | { readonly action: string };

function tokenize(template: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (const match of template.matchAll(/\{\{(-\s)?\s*((?:"(?:[^"\\]|\\.)*"|`[^`]*`|(?!\}\}).)*?)\s*(\s-)?\}\}/gs)) {
    const before = template.slice(at, match.index);
    const trimmed = match[1] === undefined ? before : before.trimEnd();
    tokens.push({ text: at > 0 && template.slice(0, at).endsWith(" -}}") ? trimmed.trimStart() : trimmed });
    tokens.push({ action: match[2]!.trim() });
    at = match.index + match[0].length;
  }
  const rest = template.slice(at);
  if (rest.includes("{{")) throw new UsageError(`--format: a {{ is not closed in '${template}'`);
  return [...tokens, { text: template.slice(0, at).endsWith(" -}}") ? rest.trimStart() : unescapeText(rest) }].map((
    token,
  ) => "text" in token ? { text: unescapeText(token.text) } : token);
}

/** docker takes `\n` and `\t` in a format for what they mean. */
function unescapeText(text: string): string {
  return text.replaceAll("\\n", "\n").replaceAll("\\t", "\t");
}

interface Parsed {
  readonly nodes: readonly Node[];
  /** Behind the action that ended it. */
  readonly next: number;
  readonly end: string | undefined;
}

function parse(tokens: readonly Token[], from: number, inside: string | undefined): Parsed {
  const nodes: Node[] = [];
  for (let at = from; at < tokens.length; at++) {
    const token = tokens[at]!;
    if ("text" in token) {
      if (token.text !== "") nodes.push({ kind: "text", text: token.text });
      continue;
    }
    const [head = "", ...words] = splitAction(token.action);
    if (head === "end" || head === "else") {
      if (inside === undefined) throw new UsageError(`--format: {{${head}}} without {{if}} or {{range}}`);
      return { nodes, next: at + 1, end: head };
    }
    if (head !== "range" && head !== "if" && head !== "with") {
      nodes.push({ kind: "value", words: [head, ...words] });
      continue;
    }
    const body = parse(tokens, at + 1, head);
    const otherwise = body.end === "else"
      ? parse(tokens, body.next, head)
      : { nodes: [], next: body.next, end: body.end };
    if (otherwise.end !== "end") throw new UsageError(`--format: {{${head}}} without {{end}}`);
    const assign = words.indexOf(":=");
    const names = words.slice(0, Math.max(assign, 0)).map((name) => name.replace(/,$/, ""));
    nodes.push({ kind: head, words: words.slice(assign + 1), names, body: body.nodes, otherwise: otherwise.nodes });
    at = otherwise.next - 1;
  }
  if (inside !== undefined) throw new UsageError(`--format: {{${inside}}} without {{end}}`);
  return { nodes, next: tokens.length, end: undefined };
}

/** Words of an action: names, paths, strings, numbers, and parentheses with all that is in them. */
function splitAction(action: string): string[] {
  const words = action.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|\((?:[^()]|\([^()]*\))*\)(?:\.[\w.]+)?|\||[^\s|()]+/g) ?? [];
  return [...words];
}

function render(nodes: readonly Node[], dot: unknown, scope: Scope): string {
  return nodes.map((node) => {
    if (node.kind === "text") return node.text;
    const value = evaluate(node.words, dot, scope);
    if (node.kind === "value") return show(value);
    if (node.kind !== "range") {
      return isTrue(value)
        ? render(node.body, node.kind === "with" ? value : dot, scope)
        : render(node.otherwise, dot, scope);
    }
    const items = Array.isArray(value) ? value.map((item, i) => [i, item] as const) : sortedEntries(value);
    if (items.length === 0) return render(node.otherwise, dot, scope);
    return items.map(([key, item]) => {
      const [first, second] = node.names;
      const bound = second === undefined
        ? first === undefined ? {} : { [first]: item }
        : { [first!]: key, [second]: item };
      return render(node.body, item, { ...scope, ...bound });
    }).join("");
  }).join("");
}

function sortedEntries(value: unknown): (readonly [string, unknown])[] {
  return typeof value === "object" && value !== null ? Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1) : [];
}

/** A call with its arguments, or a value; what stands before a bar is the last argument of what follows. */
function evaluate(words: readonly string[], dot: unknown, scope: Scope): unknown {
  const bar = words.lastIndexOf("|");
  if (bar >= 0) {
    const before = evaluate(words.slice(0, bar), dot, scope);
    return call(words.slice(bar + 1), dot, { ...scope, "$|": before }, ["$|"]);
  }
  return call(words, dot, scope, []);
}

const FUNCTIONS: Readonly<Record<string, (args: readonly unknown[]) => unknown>> = {
  json: ([value]) => JSON.stringify(value ?? null),
  len: ([value]) =>
    typeof value === "string" || Array.isArray(value) ? value.length : Object.keys((value ?? {}) as object).length,
  index: ([value, ...keys]) =>
    keys.reduce((at: unknown, key) => (at as Record<string, unknown> | null)?.[key as string], value),
  join: ([list, separator]) => (Array.isArray(list) ? list : []).join(String(separator ?? "")),
  split: ([text, separator]) => String(text).split(String(separator)),
  lower: ([text]) => String(text).toLowerCase(),
  upper: ([text]) => String(text).toUpperCase(),
  title: ([text]) => String(text).replace(/\b\w/g, (letter) => letter.toUpperCase()),
  print: (args) => args.map(show).join(""),
  println: (args) => `${args.map(show).join(" ")}\n`,
  printf: ([format, ...args]) => {
    let at = 0;
    return String(format).replace(/%[sdvq]/g, (verb) => verb === "%q" ? JSON.stringify(args[at++]) : show(args[at++]));
  },
  eq: ([first, ...others]) => others.some((other) => other === first),
  ne: ([first, second]) => first !== second,
  not: ([value]) => !isTrue(value),
  and: (args) => args.find((value) => !isTrue(value)) ?? args.at(-1),
  or: (args) => args.find(isTrue) ?? args.at(-1),
};

function call(words: readonly string[], dot: unknown, scope: Scope, more: readonly string[]): unknown {
  const [head = "", ...args] = [...words, ...more];
  const known = Object.hasOwn(FUNCTIONS, head) ? FUNCTIONS[head] : undefined;
  if (known !== undefined) return known(args.map((word) => read(word, dot, scope)));
  if (args.length > 0) {
    // What docker has as a method: {{.Label "key"}}.
    const method = head.startsWith(".") ? read(head, dot, scope) : undefined;
    if (typeof method === "function") return method(...args.map((word) => read(word, dot, scope)));
    throw new UsageError(`--format: there is no function '${head}'`, {
      hint: `functions are ${Object.keys(FUNCTIONS).join(", ")}`,
    });
  }
  return read(head, dot, scope);
}

/** The value of a word: a path from the dot or a variable, a string, a number. */
function read(word: string, dot: unknown, scope: Scope): unknown {
  if (word === "$|") return scope["$|"];
  if (/^".*"$/s.test(word)) return JSON.parse(word);
  if (/^`.*`$/s.test(word)) return word.slice(1, -1);
  if (/^-?\d+$/.test(word)) return Number(word);
  if (word === "true" || word === "false") return word === "true";
  const inner = /^\((.*)\)((?:\.\w+)*)$/s.exec(word);
  if (inner !== null) return follow(evaluate(splitAction(inner[1]!), dot, scope), inner[2]!, word);
  if (word.startsWith(".")) return follow(dot, word, word);
  const [, name = "", path = ""] = /^(\$\w*)((?:\.\w+)*)$/.exec(word) ?? [];
  if (name !== "" && Object.hasOwn(scope, name)) return follow(scope[name], path, word);
  throw new UsageError(`--format: '${word}' is no field, no string and no function`, {
    hint: "a field begins with a point, as in {{.Id}}",
  });
}

function follow(value: unknown, path: string, word: string): unknown {
  let at = value;
  for (const key of path.split(".").filter((part) => part !== "")) {
    if (typeof at !== "object" || at === null || Array.isArray(at) || !Object.hasOwn(at, key)) {
      const there = typeof at === "object" && at !== null && !Array.isArray(at) ? Object.keys(at) : [];
      throw new UsageError(`--format: there is no '${key}' for '${word}'`, {
        hint: there.length === 0 ? "see all that there is with --format json" : `there are ${there.join(", ")}`,
      });
    }
    at = (at as Record<string, unknown>)[key];
  }
  return at;
}

function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** As Go prints values. */
function show(value: unknown): string {
  if (value === undefined || value === null) return "<no value>";
  if (Array.isArray(value)) return `[${value.map(show).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  return `map[${sortedEntries(value).map(([key, item]) => `${key}:${show(item)}`).join(" ")}]`;
}
