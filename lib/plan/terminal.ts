/**
 * A terminal of the container's own: a pty from its own devpts, and the launcher between it and the caller's terminal.
 *
 * ```
 *   caller's terminal, raw      launcher                          container
 *   stdin  ───────────────────▶ input buffer ─▶ ptm ═══════ pts ─▶ stdin
 *   stdout ◀─────────────────── output buffer ◀─ ptm ═══════ pts ◀─ stdout, stderr
 *   SIGWINCH ─────────────────▶ TIOCSWINSZ ────▶ ptm                 controlling terminal
 * ```
 *
 * The child opens the pty, for it is in the container's devpts; the launcher has the descriptor as well, because both
 * share one table of descriptors until the child's exec. What the container cannot take yet waits in the input buffer;
 * what it says is always taken, so neither can block the other.
 *
 * @module
 */
import { BUILT_IN } from "../program/layout.ts";
import {
  type Act,
  type Arg,
  AT_FDCWD,
  flags,
  previous,
  type Region,
  result,
  type Step,
  step,
  text,
} from "../program/step.ts";
import type { Facts } from "../host/facts.ts";
import type { Config } from "../spec/config.ts";
import { CHILD, noteSignal } from "./monitor.ts";
import type { Setting } from "./setting.ts";
import { openTarget, SOURCE_FD, SOURCE_PATH, TARGET_PATH } from "./targets.ts";

/** The launcher's end of the pty, above the numbers that other steps use. */
export const PTM_FD = 102;

const SIGCHLD = 17;
const SIGWINCH = 28;
const BUFFER_SIZE = 4096;
const POLLFD_SIZE = 8;

/** Memory of the terminal's steps. */
export const TERMINAL_REGIONS: Readonly<Record<string, Region>> = {
  "tty.saved": { size: 40 },
  "tty.raw": { size: 40 },
  "tty.size": { size: 8 },
  "tty.isTerminal": { size: 8 },
  "tty.poll": { size: 3 * POLLFD_SIZE },
  "tty.stdin": { size: 8 },
  "tty.ptm": { size: 8 },
  "tty.inLength": { size: 8 },
  "tty.inDone": { size: 8 },
  "tty.outLength": { size: 8 },
  "tty.outDone": { size: 8 },
  "tty.in": { size: BUFFER_SIZE },
  "tty.out": { size: BUFFER_SIZE },
};

/** Before the clone: is there a terminal, and how large is it? */
export function planTerminalSize(): Act {
  return {
    what: "look at the terminal",
    why: "its size becomes the container's, and its settings are kept, to be put back at the end",
    shell: ["stty size; saved=$(stty -g)"],
    steps: [
      step("ioctl", [0, flags("TCGETS"), { region: "tty.saved" }], { onNegative: "end" }),
      step("ioctl", [0, flags("TCGETS"), { region: "tty.raw" }], { onNegative: "end" }),
      step("@store", [{ region: "tty.isTerminal" }, 1]),
      step("ioctl", [0, flags("TIOCGWINSZ"), { region: "tty.size" }], { onNegative: "next" }),
    ],
  };
}

/**
 * In the child, once devpts and /dev are mounted: opens a pty, and shows its end as `/dev/console`.
 *
 * @param isConsole false for a further process, which finds another's console there.
 */
export function planPty(facts: Facts, isConsole = true): Act {
  const open = ["O_RDWR", "O_NOCTTY", "O_CLOEXEC"];
  const readOnly = { block: { size: 4, fields: [] } } as const;
  return {
    what: "open a terminal in the container's devpts",
    why: "a terminal of its own: nothing in the container can read or type into the caller's",
    shell: ["script -q /dev/null"],
    steps: [
      ...openTarget("/dev/pts/ptmx", facts, { key: "pty", kind: "existing" }),
      step("openat", [AT_FDCWD, text(TARGET_PATH), flags(...open)]),
      step("dup3", [previous(), PTM_FD, flags("O_CLOEXEC")]),
      step("close", [previous(2)]),
      step("ioctl", [PTM_FD, flags("TIOCSPTLCK"), readOnly]),
      // By the master's descriptor, not by the name /dev/pts/0, which something in the image could stand for.
      step("ioctl", [PTM_FD, flags("TIOCGPTPEER"), flags(...open)], { label: "pts" }),
      step("ioctl", [result("pts"), flags("TIOCSWINSZ"), { region: "tty.size" }]),
      ...(isConsole
        ? [
          step("dup3", [result("pts"), SOURCE_FD, flags("O_CLOEXEC")]),
          ...openTarget("/dev/console", facts, { key: "console", kind: "file" }),
          step("mount", [text(SOURCE_PATH), text(TARGET_PATH), 0, flags("MS_BIND"), 0]),
        ]
        : []),
    ],
  };
}

/** In the child, late: the pty becomes the session's terminal and the standard streams. */
export function planStreams({ process: { user } }: Config): Act {
  return {
    what: "make it the terminal of the session",
    why: "job control, Ctrl-C and window size work as at any terminal",
    shell: ["exec <>/dev/console >&0 2>&0"],
    steps: [
      step("ioctl", [result("pts"), flags("TIOCSCTTY"), 0]),
      step("fchownat", [result("pts"), text(""), user.uid, -1, flags("AT_EMPTY_PATH")], { onNegative: "next" }),
      // From here on the launcher's descriptors are its own: these three are replaced in the child alone.
      step("unshare", [flags("CLONE_FILES")]),
      step("dup3", [result("pts"), 0, 0]),
      step("dup3", [result("pts"), 1, 0]),
      step("dup3", [result("pts"), 2, 0]),
    ],
  };
}

/** In the launcher, in place of its plain loop: raw mode, the relay, and the terminal as it was. */
export function planRelay(facts: Facts, setting: Setting): Act[] {
  return [closeShared(facts), enterRaw(setting), poll(), input(), output(), signals(setting), drain()];
}

/** Descriptors that the child opened are the launcher's as well, and would keep the container's mounts alive. */
function closeShared(facts: Facts): Act {
  const all = facts.has.close_range ? [step("close_range", [4, SOURCE_FD, 0])] : closeEach(4, SOURCE_FD);
  return {
    what: "close what was opened for the container",
    why: "these descriptors would keep its mounts alive",
    shell: [],
    steps: all,
  };
}

function closeEach(first: number, last: number): Step[] {
  return [
    step("@store", [{ region: "counter" }, first]),
    step("close", [{ load: "counter" }], { label: "tty.close", onNegative: "next" }),
    step("@add", [{ load: "counter" }, 1]),
    step("@store", [{ region: "counter" }, previous()]),
    step("@sub", [{ load: "counter" }, last + 1], { onNegative: "tty.close" }),
  ];
}

/** Two 32-bit words of `struct termios` in one of 64: the lower address is the lower half. */
const pair = (low: number, high: number): bigint => BigInt(low) | (BigInt(high) << 32n);

/** `cfmakeraw(3)`: c_iflag and c_oflag; c_cflag and c_lflag. */
const CLEARED_INPUT_OUTPUT = pair(0o2753, 0o1);
const CLEARED_CONTROL_LOCAL = pair(0o460, 0o100113);
const CS8 = pair(0o60, 0);

function enterRaw({ interactive }: Setting): Act {
  const O_NONBLOCK_RDWR = 0o4002;
  const pollIn = (fd: number) => pair(fd >>> 0, POLLIN);
  return {
    what: "set the terminal to raw mode",
    why: "every key goes to the container as it is typed; Ctrl-C too is the container's to understand",
    shell: ["stty raw -echo"],
    steps: [
      step("fcntl", [PTM_FD, flags("F_SETFL"), O_NONBLOCK_RDWR]),
      step("signalfd4", [-1, { region: "mask" }, 8, flags("SFD_CLOEXEC")], { label: "tty.signals" }),
      step("@store", [{ region: "tty.ptm" }, pollIn(PTM_FD)]),
      step("@store", [{ region: "tty.stdin" }, interactive ? pollIn(0) : pollIn(-1)]),
      step("@or", [result("tty.signals"), pollIn(0)]),
      step("@store", [{ region: "tty.poll", offset: 2 * POLLFD_SIZE }, previous()]),
      step("@add", [{ load: "tty.isTerminal" }, 0], { onZero: "end" }),
      step("@and", [{ load: "tty.raw" }, ~CLEARED_INPUT_OUTPUT]),
      step("@store", [{ region: "tty.raw" }, previous()]),
      step("@and", [{ load: "tty.raw", offset: 8 }, ~CLEARED_CONTROL_LOCAL]),
      step("@or", [previous(), CS8]),
      step("@store", [{ region: "tty.raw", offset: 8 }, previous()]),
      step("ioctl", [0, flags("TCSETS"), { region: "tty.raw" }], { onNegative: "next" }),
    ],
  };
}

const POLLIN = 1;
const POLLOUT = 4;

/** Bits of `revents` within the 64 bits of a `struct pollfd`. */
const revents = (bits: number): bigint => BigInt(bits) << 48n;

function poll(): Act {
  const entry = (index: number): Arg => ({ region: "tty.poll", offset: index * POLLFD_SIZE });
  const seen = (index: number): Arg => ({ load: "tty.poll", offset: index * POLLFD_SIZE });
  const POLLHUP_POLLERR = 0x18;
  return {
    what: "wait for the terminal, the container or a signal",
    why: "input is read only when the last of it has been taken",
    shell: [],
    steps: [
      step("@store", [entry(1), { load: "tty.ptm" }], { label: "tty.poll" }),
      step("@store", [entry(0), { load: "tty.stdin" }]),
      step("@add", [{ load: "tty.inLength" }, 0], { onZero: "tty.wait" }),
      step("@store", [entry(0), pair(0xffffffff, 0)]),
      step("@or", [{ load: "tty.ptm" }, pair(0, POLLOUT)]),
      step("@store", [entry(1), previous()]),
      step("ppoll", [entry(0), 3, 0, 0, 8], { label: "tty.wait", onNegative: "tty.poll" }),
      // Bits above 47 may make the word negative, which is as good as not zero.
      step("@and", [seen(2), revents(POLLIN)], { onPositive: "tty.signal", onNegative: "tty.signal" }),
      step("@and", [seen(1), revents(POLLIN)], { onPositive: "tty.read", onNegative: "tty.read" }),
      step("@and", [seen(1), revents(POLLOUT)], { onPositive: "tty.type", onNegative: "tty.type" }),
      step("@and", [seen(1), revents(POLLHUP_POLLERR)], { onPositive: "tty.gone", onNegative: "tty.gone" }),
      step("@shr", [seen(0), 48], { onZero: "tty.poll" }),
    ],
  };
}

/** From stdin into the input buffer, and from there into the pty as far as it takes it. */
function input(): Act {
  return {
    what: "pass input on",
    why: "what is typed goes into the container's terminal",
    shell: [],
    steps: [
      step("read", [0, { region: "tty.in" }, BUFFER_SIZE], { onZero: "tty.end", onNegative: "tty.end" }),
      step("@store", [{ region: "tty.inLength" }, previous()]),
      step("@store", [{ region: "tty.inDone" }, 0], { onZero: "tty.poll" }),
      // End of input is Ctrl-D to a terminal. It is typed once, and stdin not looked at again.
      step("@store", [{ region: "tty.stdin" }, pair(0xffffffff, 0)], { label: "tty.end" }),
      step("@store", [{ region: "tty.in" }, 4]),
      step("@store", [{ region: "tty.inDone" }, 0]),
      step("@store", [{ region: "tty.inLength" }, 1], { onPositive: "tty.poll" }),
      step("@add", [{ region: "tty.in" }, { load: "tty.inDone" }], { label: "tty.type" }),
      step("@sub", [{ load: "tty.inLength" }, { load: "tty.inDone" }]),
      step("write", [PTM_FD, previous(2), previous(1)], { onNegative: "tty.poll" }),
      step("@add", [{ load: "tty.inDone" }, previous()]),
      step("@store", [{ region: "tty.inDone" }, previous()]),
      step("@sub", [{ load: "tty.inLength" }, previous()], { onPositive: "tty.poll" }),
      step("@store", [{ region: "tty.inLength" }, 0], { onZero: "tty.poll" }),
    ],
  };
}

/** From the pty to stdout, all of it before anything else: `again` is where to go on. */
function copyOut(label: string, gone: string, again: string): Step[] {
  return [
    step("read", [PTM_FD, { region: "tty.out" }, BUFFER_SIZE], { label, onZero: gone, onNegative: gone }),
    step("@store", [{ region: "tty.outLength" }, previous()]),
    step("@store", [{ region: "tty.outDone" }, 0]),
    step("@add", [{ region: "tty.out" }, { load: "tty.outDone" }], { label: `${label}.more` }),
    step("@sub", [{ load: "tty.outLength" }, { load: "tty.outDone" }]),
    // Nobody may be there to read: the container goes on all the same.
    step("write", [1, previous(2), previous(1)], { onNegative: again }),
    step("@add", [{ load: "tty.outDone" }, previous()]),
    step("@store", [{ region: "tty.outDone" }, previous()]),
    step("@sub", [{ load: "tty.outLength" }, previous()], { onPositive: `${label}.more`, onZero: again }),
  ];
}

function output(): Act {
  return {
    what: "pass output on",
    why: "what the container writes to its terminal appears on the caller's",
    shell: [],
    steps: [
      ...copyOut("tty.read", "tty.poll", "tty.poll"),
      // Nobody in the container has the terminal open. It may be opened again, but mostly its end is near: look for
      // signals only, or this would be a loop without a pause.
      step("@store", [{ region: "tty.ptm" }, pair(0xffffffff, 0)], { label: "tty.gone", onPositive: "tty.poll" }),
    ],
  };
}

function signals(setting: Setting): Act {
  return {
    what: "take up a signal",
    why: "the end of the container, a new window size, or something to send on",
    shell: [],
    steps: [
      step("read", [result("tty.signals"), { region: "info" }, 128], { label: "tty.signal", onNegative: "tty.poll" }),
      step("@and", [{ load: "info" }, 0xffffffff], { label: "tty.number" }),
      step("@sub", [previous(), SIGCHLD], { onZero: "tty.reap" }),
      step("@sub", [result("tty.number"), SIGWINCH], { onZero: "tty.resize" }),
      ...noteSignal(setting, result("tty.number")),
      step("kill", [{ load: CHILD }, result("tty.number")], { onNegative: "tty.poll", onZero: "tty.poll" }),
      step("ioctl", [0, flags("TIOCGWINSZ"), { region: "tty.size" }], { label: "tty.resize", onNegative: "tty.poll" }),
      step("ioctl", [PTM_FD, flags("TIOCSWINSZ"), { region: "tty.size" }], {
        onNegative: "tty.poll",
        onZero: "tty.poll",
      }),
      step("wait4", [{ load: CHILD }, { region: BUILT_IN.status }, flags("WNOHANG"), 0], {
        label: "tty.reap",
        onZero: "tty.poll",
        onNegative: "tty.drain",
        onPositive: "tty.drain",
      }),
    ],
  };
}

function drain(): Act {
  return {
    what: "put the terminal back as it was",
    why: "the last output is shown, and the shell gets its terminal in the mode that it had",
    shell: ['stty "$saved"'],
    steps: [
      ...copyOut("tty.drain", "tty.restore", "tty.drain"),
      step("@add", [{ load: "tty.isTerminal" }, 0], { label: "tty.restore", onZero: "ended" }),
      step("ioctl", [0, flags("TCSETS"), { region: "tty.saved" }], { onNegative: "ended", onZero: "ended" }),
    ],
  };
}
