/**
 * A bundled module as a script for `eval`.
 *
 * The runtime takes a module apart before it runs it, to find its imports, and has to do so at every start where it may
 * not keep what it found. For a program of 300 kB that costs as much as all the rest of a start. Text that is evaluated
 * goes to the engine as it is.
 *
 * @module
 */

/**
 * Turns a module into a script with the same effect. What it imports at its top (only what is built in) is imported when
 * the script starts.
 *
 * @throws RangeError for what only a module can do: exports, `import.meta`, imports of files.
 */
export function wrapModule(code: string): string {
  const body = code.replaceAll(
    STATIC_IMPORT,
    (_, names: string | undefined, whole: string | undefined, from: string) => {
      if (!from.startsWith("node:")) throw new RangeError(`build: the bundle still imports ${from}`);
      const value = `await import("${from}")`;
      if (whole === undefined) return `const {${names!.replaceAll(/\s+as\s+/g, ":")}}=${value};`;
      return whole.startsWith("*")
        ? `const ${whole.replace(/^\*\s*as\s*/, "")}=${value};`
        : `const {default:${whole}}=${value};`;
    },
  );
  const left = /(?:^|[;}\n])\s*(export\s*[{*]|export (?:default|const|let|var|function|class)\b)|\bimport\.meta\b/.exec(
    body,
  );
  if (left !== null) throw new RangeError(`build: the bundle has ${left[0].trim()}, which a script cannot have`);
  return `(async()=>{"use strict";${body}\n})()\n//# sourceURL=paddock.js\n`;
}

/** `import{a as b}from"x";`, `import a from"x";`, `import*as a from"x";` as the bundler writes them. */
const STATIC_IMPORT = /(?<=^|[;}\n]\s*)import\s*(?:\{([^}"]*)\}|([\w$]+|\*\s*as [\w$]+)\s)\s*from\s*"([^"]+)";?/g;
