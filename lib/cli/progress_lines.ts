/**
 * Several progress bars on standard error, one below the other; nothing where that is not a terminal.
 *
 * @module
 */
import { escapeControl } from "../base/text.ts";
import type { ProgressBars } from "../runtime/voice.ts";
import { formatProgress, type ProgressTarget, standardError } from "./progress.ts";

/** Milliseconds from one drawing to the next. */
const INTERVAL = 100;

interface Line {
  readonly label: string;
  readonly began: number;
  text: string;
}

/** Bars on a terminal; undefined for a file or a pipe. */
export function createProgressLines(target: ProgressTarget = standardError()): ProgressBars | undefined {
  return target.isTerminal ? new ProgressLines(target) : undefined;
}

class ProgressLines implements ProgressBars {
  readonly #lines: Line[] = [];
  /** Lines that are on the terminal. */
  #drawn = 0;
  #last = -INTERVAL;
  #isOver = false;

  constructor(private readonly target: ProgressTarget) {}

  add(label: string): ReturnType<ProgressBars["add"]> {
    const line: Line = { label: escapeControl(label), began: this.target.now(), text: "" };
    this.#lines.push(line);
    return {
      update: (done, total) => {
        const seconds = (this.target.now() - line.began) / 1000;
        line.text = formatProgress(line.label, done, total, seconds, this.target.columns);
        this.#draw(false);
      },
      say: (words) => {
        line.text = `${line.label}: ${escapeControl(words)}`.slice(0, this.target.columns - 1);
        this.#draw(true);
      },
    };
  }

  done(): void {
    if (this.#isOver) return;
    this.#draw(true);
    this.#isOver = true;
  }

  /** All lines anew, from the first that was drawn. @param now though the last drawing was a moment ago */
  #draw(now: boolean): void {
    const time = this.target.now();
    if (this.#isOver || (!now && time - this.#last < INTERVAL)) return;
    this.#last = time;
    const up = this.#drawn === 0 ? "" : `\x1b[${this.#drawn}A`;
    // What has scrolled away cannot be drawn anew: of too many lines those at the top, which are done first, are left out.
    const shown = this.#lines.slice(-Math.max(1, (this.target.rows ?? Infinity) - 1));
    this.target.write(up + shown.map(({ text }) => `\r${text}\x1b[K\n`).join(""));
    this.#drawn = shown.length;
  }
}
