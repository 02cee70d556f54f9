/**
 * Text for terminals and shells.
 *
 * @module
 */

/** The word as a POSIX shell reads it back: bare where nothing in it is special, else in single quotes. */
export function quoteShell(word: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Words as one command line. */
export function quoteCommand(words: readonly string[]): string {
  return words.map(quoteShell).join(" ");
}

// Control characters of C0 and C1, the marks that turn the direction of writing, line and paragraph separators.
// deno-lint-ignore no-control-regex -- these are what must not reach a terminal
const CONTROL = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/g;

/** Text from outside (a file's name, an image's label) made safe for a terminal: control characters as `\x1b`, `\u202e`. */
export function escapeControl(text: string): string {
  return text.replace(CONTROL, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/**
 * Rows as a table with two spaces between the columns, each cell made safe for a terminal; the last column is not padded.
 *
 * Gives lines without a final newline.
 */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(escapeControl));
  const widths = head.map((_, column) => Math.max(...cells.map((row) => countCharacters(row[column] ?? ""))));
  return cells.map((row) =>
    head.map((_, column) => {
      const cell = row[column] ?? "";
      return column === head.length - 1 ? cell : cell + " ".repeat((widths[column] ?? 0) - countCharacters(cell));
    }).join("  ").trimEnd()
  ).join("\n");
}

/** How long ago something was, in the largest unit that fits: `5 s`, `3 min`, `7 h`, `2 d`, with "ago". */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 2 * 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

/** Words broken into lines of at most `width` characters; a longer word stands alone. */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((word) => word !== "")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = "";
    }
    line += line === "" ? word : ` ${word}`;
  }
  return line === "" ? lines : [...lines, line];
}

/** The candidate that was probably meant, or undefined where none is near: at most one edit in four letters. */
export function findNearest(word: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(word.length / 4)) + 1;
  for (const candidate of candidates) {
    const distance = countEdits(word, candidate);
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/** A hint for a word that is not among the candidates: "did you mean '…'". */
export function didYouMean(word: string, candidates: Iterable<string>): string | undefined {
  const nearest = findNearest(word, candidates);
  return nearest === undefined ? undefined : `did you mean '${nearest}'`;
}

/** Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other. */
function countEdits(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      let edits = Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (swapped) edits = Math.min(edits, (before[j - 2] ?? 0) + 1);
      next.push(edits);
    }
    [before, row] = [row, next];
  }
  return row[to.length] ?? 0;
}

function countCharacters(text: string): number {
  return [...text].length;
}
