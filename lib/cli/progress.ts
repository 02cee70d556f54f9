/**
 * A progress bar on standard error; nothing where that is not a terminal.
 *
 * @module
 */

/** Told how far something is; `done` takes the bar away. */
export interface Progress {
  /** @param total `undefined` where it is not known: bytes are counted without a bar. */
  update(done: number, total: number | undefined): void;
  done(): void;
}

/** Where a bar is drawn. */
export interface ProgressTarget {
  readonly isTerminal: boolean;
  /** Columns. */
  readonly columns: number;
  /** Lines; without end unless given. */
  readonly rows?: number;
  write(text: string): void;
  /** Milliseconds. */
  now(): number;
}

/** Milliseconds from one drawing to the next, and before the first: what is done at once needs no bar. */
const INTERVAL = 100;

/** A bar with a label before it, on standard error. */
export function createProgress(label: string, target: ProgressTarget = standardError()): Progress {
  if (!target.isTerminal) return { update: () => {}, done: () => {} };
  const started = target.now();
  let last = started;
  let drawn = false;
  return {
    update: (done, total) => {
      const now = target.now();
      if (now - last < INTERVAL) return;
      last = now;
      drawn = true;
      target.write(`\r${formatProgress(label, done, total, (now - started) / 1000, target.columns)}\x1b[K`);
    },
    done: () => {
      if (drawn) target.write("\r\x1b[K");
    },
  };
}

/** One line of at most `columns` - 1 characters. @param seconds since the beginning. */
export function formatProgress(
  label: string,
  done: number,
  total: number | undefined,
  seconds: number,
  columns: number,
): string {
  const rate = `${formatMegabytes(done / Math.max(seconds, 0.001))}/s`;
  if (total === undefined || total <= 0) return `${label} ${formatMegabytes(done)} ${rate}`.slice(0, columns - 1);
  const share = Math.min(done / total, 1);
  const percent = `${Math.floor(share * 100)}%`.padStart(4);
  const rest = `${percent} ${formatMegabytes(done)} of ${formatMegabytes(total)} ${rate}`;
  const width = Math.min(40, columns - 1 - label.length - rest.length - 4);
  if (width < 5) return `${label}${rest}`.slice(0, columns - 1);
  const full = Math.round(share * width);
  return `${label} [${"=".repeat(full)}${" ".repeat(width - full)}]${rest}`;
}

function formatMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0)} MB`;
}

/** Bars go to standard error. */
export function standardError(): ProgressTarget {
  const isTerminal = Deno.stderr.isTerminal();
  const encoder = new TextEncoder();
  return {
    isTerminal,
    ...isTerminal ? Deno.consoleSize() : { columns: 80 },
    write: (text) => void Deno.stderr.writeSync(encoder.encode(text)),
    now: () => performance.now(),
  };
}
