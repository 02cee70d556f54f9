/**
 * The kernel's side of a terminal that another process has.
 *
 * @module
 */
import { describeErrno } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import { syscall } from "./syscall.ts";

/** Size of a terminal in characters. */
export interface WindowSize {
  readonly rows: number;
  readonly columns: number;
}

const TCGETS = 0x5401;
const TCSETS = 0x5402;

/** `struct termios` of the kernel: four words of flags, of which these are cleared and set (`man 3 cfmakeraw`). */
const RAW = { input: 0o2753, output: 0o1, control: { cleared: 0o460, set: 0o60 }, local: 0o100113 };

/**
 * Takes away all that a terminal does by itself: every key goes through, and output is as it was written. Deno's own raw
 * mode still changes output.
 *
 * @returns what puts it back as it was; undefined where the descriptor is no terminal.
 */
export function makeRaw(fd: number): Disposable | undefined {
  const saved = new Uint32Array(16);
  const bytes = (words: Uint32Array<ArrayBuffer>) => new Uint8Array(words.buffer);
  if (syscall("ioctl", fd, TCGETS, bytes(saved)) < 0) return undefined;
  const raw = saved.slice();
  raw[0]! &= ~RAW.input;
  raw[1]! &= ~RAW.output;
  raw[2] = (raw[2]! & ~RAW.control.cleared) | RAW.control.set;
  raw[3]! &= ~RAW.local;
  syscall("ioctl", fd, TCSETS, bytes(raw));
  return { [Symbol.dispose]: () => void syscall("ioctl", fd, TCSETS, bytes(saved)) };
}

/** One end of a terminal. */
export interface TerminalEnd extends Disposable {
  /** Writes what it takes at once; gives how many bytes that were, or undefined where nobody has the other end. */
  write(bytes: Uint8Array): number | undefined;
  /** The programs at the other end are told of it (`man 2 TIOCSWINSZ`). */
  resize(size: WindowSize): void;
}

const TIOCSWINSZ = 0x5414;
const EAGAIN = 11;

/**
 * A copy of another process's descriptor of a terminal (`man 2 pidfd_getfd`).
 *
 * @throws PaddockError where the kernel cannot do that (before 5.6), or the process has ended.
 */
export function copyTerminal(pid: number, fd: number): TerminalEnd {
  const process = syscall("pidfd_open", pid, 0);
  const copy = process < 0 ? process : syscall("pidfd_getfd", process, fd, 0);
  if (process >= 0) syscall("close", process);
  if (copy < 0) {
    throw new PaddockError(`cannot reach the container's terminal: ${describeErrno(-copy)}`, {
      hint: "this needs a kernel from 5.6 and the right to trace processes (CAP_SYS_PTRACE)",
    });
  }
  return {
    write: (bytes) => {
      const count = syscall("write", copy, bytes, bytes.length);
      return count >= 0 ? count : count === -EAGAIN ? 0 : undefined;
    },
    resize: ({ rows, columns }) => {
      const size = new Uint8Array(new Uint16Array([rows, columns, 0, 0]).buffer);
      syscall("ioctl", copy, TIOCSWINSZ, size);
    },
    [Symbol.dispose]: () => void syscall("close", copy),
  };
}
