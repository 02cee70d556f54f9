/**
 * `WWW-Authenticate`: how a server wants to be told who asks (RFC 9110, 11.6.1; distribution's token specification). Pure.
 *
 * @module
 */

/** One way that it offers. */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string;
  /** Names in lower case. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** All challenges of a header; several headers come joined by commas. What makes no sense is left out. */
export function parseChallenges(header: string): Challenge[] {
  const found: { readonly scheme: string; readonly parameters: Map<string, string> }[] = [];
  const at = new RegExp(TOKEN, "y");
  for (let position = 0; position < header.length;) {
    at.lastIndex = position;
    const match = at.exec(header);
    if (match === null || match[0] === "") {
      position++;
      continue;
    }
    position = at.lastIndex;
    const [, name, quoted, bare, scheme] = match;
    if (scheme !== undefined) found.push({ scheme: scheme.toLowerCase(), parameters: new Map() });
    else if (name !== undefined) {
      const value = quoted === undefined ? bare! : quoted.replace(/\\(.)/gs, "$1");
      const parameters = found.at(-1)?.parameters;
      if (parameters?.has(name.toLowerCase()) === false) parameters.set(name.toLowerCase(), value);
    }
  }
  return found.map(({ scheme, parameters }) => ({ scheme, parameters: Object.fromEntries(parameters) }));
}

/** A parameter `name="value"` or `name=value`, or the name of a scheme. */
const TOKEN =
  /[\s,]*(?:([!#$%&'*+.^_`|~\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))|([!#$%&'*+.^_`|~\w-]+)(?=\s|,|$))/.source;
