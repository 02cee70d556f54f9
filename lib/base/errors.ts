/**
 * The errors that paddock shows to a person.
 *
 * @module
 */

/** Exit codes that paddock itself gives; any other is the command's own (or 128 + its signal). */
export const EXIT = {
  /** paddock itself failed, or was called wrongly. */
  failed: 125,
  /** The command was found and could not be executed. */
  cannotExecute: 126,
  /** The command was not found. */
  notFound: 127,
} as const;

/** What an error may carry beside its message. */
export interface ErrorDetails {
  /** What the user can do about it: one sentence without a full stop. */
  readonly hint?: string;
  /** The exit code to end with; 125 unless given. */
  readonly exitCode?: number;
  /** What lies underneath. */
  readonly cause?: unknown;
}

/**
 * A failure to be told to the user in one line: what failed, on what and why.
 *
 * Messages start in lower case, quote the user's own words and end without a full stop.
 */
export class PaddockError extends Error {
  override readonly name: string = "PaddockError";
  readonly hint: string | undefined;
  readonly exitCode: number;

  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { cause: details.cause });
    this.hint = details.hint;
    this.exitCode = details.exitCode ?? EXIT.failed;
  }
}

/** A command line that makes no sense; the message names the word that does not fit. */
export class UsageError extends PaddockError {
  override readonly name = "UsageError";
}
