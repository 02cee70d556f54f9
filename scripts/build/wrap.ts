/**
 * The modules of a bundle as scripts for `eval`.
 *
 * The runtime takes a module apart before it runs it, to find its imports, and has to do so at every start where it may
 * not keep what it found. For a program of 300 kB that costs as much as all the rest of a start. Text that is evaluated
 * goes to the engine as it is; and of a bundle in pieces, only those pieces go there that are called for.
 *
 * @module
 */

/**
 * Turns a module into a script that gives a function. Called with a loader, the function runs the module and promises
 * what it exports; the loader is called with the names of other pieces (`./chunk.js` is `chunk.js`) and does the same for
 * those. What is exported must not change after the module has run.
 *
 * @param name of the piece, for stacks of errors.
 * @throws RangeError for what only a module can do: `import.meta`, other forms of export, imports from elsewhere.
 */
export function wrapModule(code: string, name = "paddock.js"): string {
  const imported = code.replaceAll(
    STATIC_IMPORT,
    (_, names: string | undefined, whole: string | undefined, from: string) => {
      const value = from.startsWith("node:") ? `await import("${from}")` : `await ${LOAD}("${pieceName(from)}")`;
      if (names === undefined && whole === undefined) return `${value};`;
      if (whole === undefined) return `const {${names!.replaceAll(/\s+as\s+/g, ":")}}=${value};`;
      return whole.startsWith("*")
        ? `const ${whole.replace(/^\*\s*as\s*/, "")}=${value};`
        : `const {default:${whole}}=${value};`;
    },
  );
  const late = imported.replaceAll(LATE_IMPORT, (_, from: string) => `${LOAD}("${pieceName(from)}")`);
  const body = late.replace(
    EXPORTS,
    (_, names: string, notices: string) => `return{${names.split(",").map(formatExport).join(",")}};${notices}`,
  );
  const left = /(?:^|[;}\n])\s*(export\s*[{*]|export (?:default|const|let|var|function|class)\b)|\bimport\.meta\b/.exec(
    body,
  );
  if (left !== null) throw new RangeError(`build: the bundle has ${left[0].trim()}, which a script cannot have`);
  // No arrow function: V8 looks through one of 100 kB several times before it runs it, which takes 50 ms and more.
  return `(async function(${LOAD}){"use strict";${body}\n})\n//# sourceURL=${name}\n`;
}

/** What the loader is called in a wrapped module. */
const LOAD = "__load";

function pieceName(from: string): string {
  const match = /^\.\/([\w.-]+)$/.exec(from);
  if (match === null) throw new RangeError(`build: the bundle still imports ${from}`);
  return match[1]!;
}

/** `a as b` is `b:a`. */
function formatExport(text: string): string {
  const [inner, outer = inner] = text.trim().split(/\s+as\s+/);
  return `${outer}:${inner}`;
}

/** `import{a as b}from"x";`, `import a from"x";`, `import*as a from"x";`, `import"x";` as the bundler writes them. */
const STATIC_IMPORT = /(?<=^|[;}\n]\s*)import\s*(?:(?:\{([^}"]*)\}|([\w$]+|\*\s*as [\w$]+)\s)\s*from\s*)?"([^"]+)";?/g;

/** `import("./x.js")`. */
const LATE_IMPORT = /\bimport\("(\.\/[^"]+)"\)/g;

/** The last statement of a piece, and the notices of licences that the bundler puts behind it. */
const EXPORTS = /(?<=^|[;}\n]\s*)export\s*\{([^}]*)\};?((?:\s*\/\*[^]*?\*\/)*)\s*$/;
