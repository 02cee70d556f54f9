/**
 * The keys by which one leaves a container's terminal and lets it run on.
 *
 * @module
 */
import { UsageError } from "./errors.ts";

/** docker's: Ctrl-P, Ctrl-Q. */
export const DETACH_KEYS: readonly number[] = [0x10, 0x11];

/**
 * Keys from docker's words: `ctrl-p,ctrl-q`, `x`, `ctrl-@`; none from the empty text: one cannot leave then.
 *
 * @throws UsageError naming the word that is no key
 */
export function readDetachKeys(text: string): readonly number[] {
  if (text === "") return [];
  return text.split(",").map((word) => {
    const [, control] = /^ctrl-([a-z@[\\\]^_])$/i.exec(word) ?? [];
    if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
    if (/^[\x20-\x7e]$/.test(word)) return word.charCodeAt(0);
    throw new UsageError(`'${word}' is no key`, { hint: "keys are as in ctrl-p,ctrl-q or ctrl-@,x" });
  });
}

/** What of the keys typed goes on, and whether the last of the sequence has come. */
export interface Sifted {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly leaves: boolean;
}

/**
 * Looks for a sequence of keys in what is typed. Its first keys are held back until it is clear that the others do not
 * follow.
 */
export function makeSieve(keys: readonly number[]): (typed: Uint8Array) => Sifted {
  let held = 0;
  return (typed) => {
    const passed: number[] = [];
    for (const key of typed) {
      if (keys.length > 0 && key === keys[held]) {
        if (++held === keys.length) return { bytes: Uint8Array.from(passed), leaves: true };
        continue;
      }
      passed.push(...keys.slice(0, held));
      // It may be the first key of another try.
      held = keys.length > 0 && key === keys[0] ? 1 : 0;
      if (held === 0) passed.push(key);
    }
    return { bytes: Uint8Array.from(passed), leaves: false };
  };
}
