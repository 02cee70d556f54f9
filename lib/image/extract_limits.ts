/**
 * Budgets of an extraction: an archive is not trusted to be of sane size.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";

/** Upper bounds; reaching one ends the extraction with an error that names it. */
export interface ExtractLimits {
  /** Entries of all kinds. */
  readonly entries: number;
  /** Bytes of file data written, holes not counted. */
  readonly bytes: number;
  /** Directories above an entry. */
  readonly depth: number;
  /** Bytes of a whole path. */
  readonly pathBytes: number;
  /** Unpacked bytes for each packed byte, judged once `ratioFrom` bytes are unpacked. */
  readonly ratio: number;
  readonly ratioFrom: number;
}

/** Far above any real image: 20 GB with a million files passes. */
export const DEFAULT_LIMITS: ExtractLimits = {
  entries: 10_000_000,
  bytes: 256 * 1024 ** 3,
  depth: 1024,
  pathBytes: 4095,
  ratio: 500,
  ratioFrom: 4 * 1024 ** 3,
};

/** @throws PaddockError when a counter passes its limit. */
export function checkLimit(what: string, value: number, limit: number): void {
  if (value <= limit) return;
  throw new PaddockError(`archive: more than ${limit} ${what}`, {
    hint: "no real root filesystem is like that: refused",
  });
}
