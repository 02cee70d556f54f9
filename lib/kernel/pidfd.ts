/**
 * Waiting for a process that is not our child, by a descriptor of it (`man 2 pidfd_open`).
 *
 * @module
 */
import { syscall } from "./syscall.ts";

/** A process that cannot be taken for another: its number may be given away again, its descriptor not. */
export interface ProcessHandle extends Disposable {
  /**
   * Blocks until it has ended or the time is over.
   *
   * @param milliseconds -1 waits for ever.
   * @returns true where it has ended.
   */
  waitForEnd(milliseconds: number): boolean;
  /** Its wait status (`man 2 wait4`) once it has ended; undefined where this kernel does not tell. */
  status(): number | undefined;
}

/** A handle of a process; undefined where there is none of that number, or the kernel has no such descriptors (5.3). */
export function openProcess(pid: number): ProcessHandle | undefined {
  const fd = syscall("pidfd_open", pid, 0);
  if (fd < 0) return undefined;
  return {
    waitForEnd: (milliseconds) => poll(fd, milliseconds),
    status: () => readStatus(fd) ?? readZombie(pid),
    [Symbol.dispose]: () => void syscall("close", fd),
  };
}

const POLLIN = 1;

/** `struct pollfd` and `struct timespec`; a signal that ends the wait early is no end of the process. */
function poll(fd: number, milliseconds: number): boolean {
  const pollfd = new DataView(new ArrayBuffer(8));
  pollfd.setInt32(0, fd, true);
  pollfd.setInt16(4, POLLIN, true);
  const time = new DataView(new ArrayBuffer(16));
  time.setBigInt64(0, BigInt(Math.floor(milliseconds / 1000)), true);
  time.setBigInt64(8, BigInt(Math.round((milliseconds % 1000) * 1e6)), true);
  const timeout = milliseconds < 0 ? null : new Uint8Array(time.buffer);
  return syscall("ppoll", new Uint8Array(pollfd.buffer), 1, timeout, null, 8) > 0;
}

/** `_IOWR(0xFF, 11, struct pidfd_info)` with the 64 bytes of its first form (`linux/pidfd.h`, 6.13). */
const PIDFD_GET_INFO = 0xc040ff0b;
/** Its `exit_code` is asked for and there (6.15). */
const PIDFD_INFO_EXIT = 8n;
const EXIT_CODE_AT = 60;

function readStatus(fd: number): number | undefined {
  const info = new DataView(new ArrayBuffer(64));
  info.setBigUint64(0, PIDFD_INFO_EXIT, true);
  if (syscall("ioctl", fd, PIDFD_GET_INFO, new Uint8Array(info.buffer)) < 0) return undefined;
  return (info.getBigUint64(0, true) & PIDFD_INFO_EXIT) === 0n ? undefined : info.getInt32(EXIT_CODE_AT, true);
}

/**
 * Nobody has reaped it yet, so that its number is still its own: the last field of its line (`man 5 proc_pid_stat`,
 * exit_code).
 */
function readZombie(pid: number): number | undefined {
  try {
    const [, state, ...fields] = Deno.readTextFileSync(`/proc/${pid}/stat`).replace(/^.*\)/s, "").trimEnd().split(" ");
    return state === "Z" ? Number(fields.at(-1)) : undefined;
  } catch {
    return undefined;
  }
}
