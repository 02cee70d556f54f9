/**
 * An error as the user sees it: one line, a hint, and with `--debug` where it arose.
 *
 * @module
 */
import { EXIT, PaddockError } from "../base/errors.ts";
import { escapeControl } from "../base/text.ts";

/** What is printed on standard error, and the exit code. */
export interface Report {
  readonly text: string;
  readonly exitCode: number;
}

/** The report of whatever was thrown. */
export function reportError(error: unknown, debug: boolean): Report {
  // What failed first is what the user asked about; that undoing failed too comes second.
  if (error instanceof SuppressedError) {
    const first = reportError(error.suppressed, debug);
    const second = reportError(error.error, debug);
    return {
      text: first.text + second.text.replace(/^paddock: /, "paddock: and while cleaning up: "),
      exitCode: first.exitCode,
    };
  }
  // Whoever reads our output has gone: as if the signal had ended us, like any other program in a pipe.
  if (error instanceof Deno.errors.BrokenPipe) return { text: "", exitCode: 128 + 13 };
  const known = error instanceof PaddockError;
  const message = error instanceof Error ? error.message : String(error);
  const hint = known ? error.hint : "this is a fault of paddock itself: with --debug it tells where";
  const lines = [
    `paddock: ${escapeControl(known ? message : `unexpected: ${message}`)}`,
    ...(hint === undefined || (!known && debug) ? [] : [`  ${escapeControl(hint)}`]),
    ...(debug ? listStacks(error) : []),
  ];
  return { text: lines.map((line) => `${line}\n`).join(""), exitCode: known ? error.exitCode : EXIT.failed };
}

/** The stack of the error and of each cause below it. */
function listStacks(error: unknown): string[] {
  if (!(error instanceof Error)) return [];
  return [
    ...(error.stack ?? "").split("\n").map(escapeControl),
    ...(error.cause === undefined ? [] : ["caused by:", ...listStacks(error.cause)]),
  ];
}
