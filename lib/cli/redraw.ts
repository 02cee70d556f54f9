/**
 * What is shown again and again, until Ctrl-C: `--watch` of `ps`, and `stats`.
 *
 * @module
 */

/**
 * Shows a text that changes: on a terminal in place of the one before, else below it where it is another.
 *
 * @param show gives the text; what it throws ends this.
 * @param period milliseconds between two looks.
 */
export async function redraw(show: () => string | Promise<string>, period: number): Promise<never> {
  const isTerminal = Deno.stdout.isTerminal();
  for (let before = "";;) {
    const text = await show();
    if (isTerminal) write(`${HOME}${text.replaceAll("\n", `${CLEAR_LINE}\n`)}${CLEAR_BELOW}`);
    else if (text !== before) write(text);
    before = text;
    await new Promise((resolve) => setTimeout(resolve, period));
  }
}

/** Sequences of ECMA-48: the cursor to the upper left, erase to the end of the line, and of the page. */
const HOME = "\x1b[H";
const CLEAR_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

function write(text: string): void {
  const bytes = new TextEncoder().encode(text);
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(Deno.stdout.writeSync(rest));
}
