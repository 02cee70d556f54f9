/**
 * The lock that says "this container's launcher lives".
 *
 * `flock(2)`: it belongs to the open file, is handed on over `execve` with the descriptor, and is gone the moment the
 * last process that has it is gone, however that came about. Nothing can forge or forget it, and no pid is compared.
 *
 * @module
 */
import { describeErrno } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import { AT, E, LOCK, O } from "../kernel/constants.ts";
import { must, syscall } from "../kernel/syscall.ts";

/** A lock that is held. */
export interface Lock {
  /** Its descriptor. It is not close-on-exec: the launcher that paddock turns into goes on holding it. */
  readonly fd: number;
  /** Closes the descriptor, and so gives the lock up where nobody inherited it. Does nothing the second time. */
  release(): void;
  [Symbol.dispose](): void;
}

/** How a try at a lock came out. */
export type LockAttempt = Lock | "held" | "gone";

/**
 * Takes the lock file in a directory, making the file where there is none.
 *
 * "held": another has it. "gone": the directory vanished, or the file was removed by who had the lock before; what
 * was seen of the directory is no longer true.
 *
 * @param wait true: where another has it, wait for it.
 * @throws PaddockError where the file cannot be opened.
 */
export function tryLock(directory: string, wait: boolean): LockAttempt {
  const path = `${directory}/${LOCK_FILE}`;
  const fd = syscall("openat", AT.FDCWD, path, O.RDWR | O.CREAT | O.NOFOLLOW, 0o600);
  if (fd === -E.NOENT) return "gone";
  if (fd < 0) throw new PaddockError(`cannot open ${path}: ${describeErrno(-fd)}`);
  const answer = syscall("flock", fd, wait ? LOCK.EX : LOCK.EX | LOCK.NB);
  if (answer === 0 && countLinks(fd, path) > 0) return makeLock(fd);
  syscall("close", fd);
  return answer === -E.AGAIN ? "held" : "gone";
}

/**
 * The lock of a directory by a descriptor that was inherited, and with it the lock.
 *
 * @throws PaddockError where the descriptor is not of that directory's lock file.
 */
export function inheritLock(directory: string, fd: number): Lock {
  const path = `${directory}/${LOCK_FILE}`;
  const [file, inherited] = [identify(AT.FDCWD, path, 0), identify(fd, "", AT.EMPTY_PATH)];
  if (file !== undefined && file === inherited) return makeLock(fd);
  throw new PaddockError(`descriptor ${fd} is not the lock ${path}`, {
    hint: "this is called by a launcher at its end, and not by hand",
  });
}

/**
 * Waits for the lock on a directory itself: for changes to a container whose own lock its launcher may have. It does not
 * outlive this process, nor is it handed on.
 *
 * @throws PaddockError where the directory cannot be opened.
 */
export function lockDirectory(directory: string): Disposable {
  const fd = must(directory, "openat", AT.FDCWD, directory, O.DIRECTORY | O.CLOEXEC | O.NOFOLLOW, 0);
  must(directory, "flock", fd, LOCK.EX);
  return { [Symbol.dispose]: () => void syscall("close", fd) };
}

/** True where a process holds the lock; false where none does or there is no lock file. */
export function isLocked(directory: string): boolean {
  const fd = syscall("openat", AT.FDCWD, `${directory}/${LOCK_FILE}`, O.CLOEXEC | O.NOFOLLOW);
  if (fd < 0) return false;
  // Shared, so that two who only look do not take each other for a holder.
  const answer = syscall("flock", fd, LOCK.SH | LOCK.NB);
  syscall("close", fd);
  return answer === -E.AGAIN;
}

/** The lock's name in a container's directory; it is the last file to be removed from there. */
export const LOCK_FILE = "lock";

const STATX_NLINK = 0x4;
const STATX_INO = 0x100;

/** `statx` rather than `fstat`: its struct is the same on every architecture. */
function countLinks(fd: number, path: string): number {
  const buffer = new Uint8Array(256);
  must(path, "statx", fd, "", AT.EMPTY_PATH, STATX_NLINK, buffer);
  return new DataView(buffer.buffer).getUint32(16, true);
}

/** Device and inode; `undefined` where there is nothing. */
function identify(dir: number, name: string, flags: number): string | undefined {
  const buffer = new Uint8Array(256);
  if (syscall("statx", dir, name, flags, STATX_INO, buffer) < 0) return undefined;
  const view = new DataView(buffer.buffer);
  return `${view.getUint32(136, true)}:${view.getUint32(140, true)}:${view.getBigUint64(32, true)}`;
}

function makeLock(fd: number): Lock {
  let open = true;
  const release = (): void => {
    if (open) syscall("close", fd);
    open = false;
  };
  return { fd, release, [Symbol.dispose]: release };
}
