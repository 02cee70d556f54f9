/**
 * A file that is its own lock: whoever holds it works, others wait and then look at what has been done.
 *
 * @module
 */
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { check, LOCK, lockFd, O, statAt, statFd, toCText } from "../kernel/fs.ts";

/**
 * Opens a file below a directory, making it where it is missing, and waits for its lock; closing it gives that back.
 *
 * @param dir descriptor of the directory.
 * @throws KernelError
 */
export function openLocked(dir: number, path: string): Fd {
  for (;;) {
    const file = tryLock(dir, path, LOCK.EX);
    if (file !== undefined) return file;
  }
}

/** Milliseconds between two looks at a lock. */
const LOOK = 25;

/** The same for who has other things to do meanwhile: looks now and then. @throws KernelError */
export async function lockWhenFree(dir: number, path: string): Promise<Fd> {
  for (;;) {
    const file = tryLock(dir, path, LOCK.EX | LOCK.NB);
    if (file !== undefined) return file;
    await new Promise((done) => setTimeout(done, LOOK));
  }
}

function tryLock(dir: number, path: string, operation: number): Fd | undefined {
  const flags = O.RDWR | O.CREAT | O.NOFOLLOW | O.CLOEXEC;
  const file = new Fd(check(`"${path}"`, "openat", calls.openat(dir, toCText(path), flags, 0o600)));
  // While we waited it may have been removed: then the lock that we got guards nothing.
  if (lockFd(file.number, operation) && statAt(dir, path)?.ino === statFd(file.number).ino) return file;
  file.close();
  return undefined;
}
