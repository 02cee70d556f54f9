/**
 * Signals of Linux by name (`man 7 signal`). The same numbers on x86_64 and aarch64.
 *
 * @module
 */

/** Names without `SIG`; the place in the list is the signal's number. */
export const SIGNALS = [
  "",
  "HUP",
  "INT",
  "QUIT",
  "ILL",
  "TRAP",
  "ABRT",
  "BUS",
  "FPE",
  "KILL",
  "USR1",
  "SEGV",
  "USR2",
  "PIPE",
  "ALRM",
  "TERM",
  "STKFLT",
  "CHLD",
  "CONT",
  "STOP",
  "TSTP",
  "TTIN",
  "TTOU",
  "URG",
  "XCPU",
  "XFSZ",
  "VTALRM",
  "PROF",
  "WINCH",
  "IO",
  "PWR",
  "SYS",
] as const;

const OTHER_NAMES: Readonly<Record<string, number>> = { IOT: 6, CLD: 17, POLL: 29 };

/** First and last real-time signal as the C library counts them. */
const RTMIN = 34;
const RTMAX = 64;

/** The number of a signal given as `TERM`, `SIGTERM`, `sigterm`, `15` or `RTMIN+3`; undefined where there is none such. */
export function findSignal(text: string): number | undefined {
  if (/^\d+$/.test(text)) return isSignal(Number(text)) ? Number(text) : undefined;
  const name = text.toUpperCase().replace(/^SIG/, "");
  const number = SIGNALS.indexOf(name as typeof SIGNALS[number]);
  if (number > 0) return number;
  const realTime = /^RT(MIN(?:\+\d+)?|MAX(?:-\d+)?)$/.exec(name)?.[1];
  if (realTime === undefined) return OTHER_NAMES[name];
  const offset = Number(/\d+$/.exec(realTime)?.[0] ?? 0);
  const found = realTime.startsWith("MIN") ? RTMIN + offset : RTMAX - offset;
  return found >= RTMIN && found <= RTMAX ? found : undefined;
}

/** A signal's name without `SIG`: `TERM`, `RTMIN+3`. */
export function nameSignal(number: number): string {
  if (number >= RTMIN && number <= RTMAX) return number === RTMIN ? "RTMIN" : `RTMIN+${number - RTMIN}`;
  return SIGNALS[number] || String(number);
}

function isSignal(number: number): boolean {
  return number >= 1 && number <= RTMAX && number !== 32 && number !== 33;
}
