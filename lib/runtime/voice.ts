/**
 * How a use case speaks to the user while it works; the command line decides how that looks.
 *
 * @module
 */

/** Told how far something is; `done` takes the bar away. */
export interface ProgressBar {
  /** @param total `undefined` where it is not known. Bytes. */
  update(done: number, total: number | undefined): void;
  done(): void;
}

/** Bars one below the other. */
export interface ProgressBars {
  /** Adds a line at the bottom. */
  add(label: string): BarLine;
  /** Leaves the lines as they are, and draws no more. */
  done(): void;
}

/** One of several bars. */
export interface BarLine {
  /** A bar. Bytes. */
  update(done: number, total: number): void;
  /** Words in place of the bar. */
  say(words: string): void;
}

/** Where words go that are not the answer. */
export interface Voice {
  /** One line for standard error, without the program's name. */
  note(line: string): void;
  /** The same for what went wrong without anything having to end for it; the log has it, too. */
  warn(line: string): void;
  /** A bar with a label before it, where a bar makes sense. */
  progress(label: string): ProgressBar;
  /** Several bars; undefined where they make no sense: then lines do. */
  bars?(): ProgressBars | undefined;
}
