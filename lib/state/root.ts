/**
 * The directories under which state is kept: `/run/paddock` for what runs, `/var/lib/paddock` for what stays.
 *
 * @module
 */
import { describeErrno } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import { AT, E, S } from "../kernel/constants.ts";
import { must, syscall } from "../kernel/syscall.ts";

/** Where a paddock keeps its things. */
export interface Roots {
  /** `--root`: one directory for each container; empty after a boot. */
  readonly root: string;
  /** `--data-root`: images, and what containers write. */
  readonly dataRoot: string;
}

/**
 * Makes a private directory where there is none, and refuses one that others could have prepared: whoever can write
 * into it decides what is mounted, killed and removed.
 *
 * @returns true where it was made.
 * @throws PaddockError where it is no directory, belongs to someone else, or others may write into it.
 */
export function ensurePrivateDirectory(path: string): boolean {
  const seen = inspect(path);
  if (seen === undefined) {
    makeDirectories(path);
    return true;
  }
  const fault = findFault(seen, syscall("geteuid"));
  if (fault === undefined) return false;
  throw new PaddockError(`will not keep state in ${path}: ${fault}`, {
    hint: `remove it, or choose another directory with --root; it must belong to root and be writable by root alone`,
  });
}

function makeDirectories(path: string): void {
  try {
    Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new PaddockError(`cannot make ${path}: ${(cause as Error).message.replace(/: mkdir .*/, "")}`, {
      hint: "choose a writable place with --root and --data-root",
      cause,
    });
  }
}

/** Why an existing directory is not to be trusted with state; `undefined` where it is, or where there is none. */
export function findPrivateFault(path: string): string | undefined {
  const seen = inspect(path);
  return seen === undefined ? undefined : findFault(seen, syscall("geteuid"));
}

/** What matters of a directory. */
export interface DirectoryFacts {
  readonly mode: number;
  readonly uid: number;
}

/** Why a directory is not to be trusted; `undefined` where it is. */
export function findFault({ mode, uid }: DirectoryFacts, user: number): string | undefined {
  if ((mode & S.IFMT) !== S.IFDIR) return "it is not a directory";
  if (uid !== user) return `it belongs to user ${uid}`;
  if ((mode & 0o022) !== 0) return `others may write into it (mode ${(mode & 0o7777).toString(8)})`;
  return undefined;
}

const STATX_TYPE_MODE_UID = 0x1 | 0x2 | 0x8;
/** By `statx`, which answers ENOENT with a number where `Deno.lstatSync` throws: the difference is half a millisecond. */
function inspect(path: string): DirectoryFacts | undefined {
  const buffer = new Uint8Array(256);
  const answer = syscall("statx", AT.FDCWD, path, AT.SYMLINK_NOFOLLOW, STATX_TYPE_MODE_UID, buffer);
  if (answer === -E.NOENT) return undefined;
  if (answer < 0) throw new PaddockError(`cannot look at ${path}: ${describeErrno(-answer)}`);
  const view = new DataView(buffer.buffer);
  return { uid: view.getUint32(20, true), mode: view.getUint16(28, true) };
}

/** Makes one directory, private to its owner; false where something of that name is there. */
export function makeDirectory(path: string): boolean {
  const answer = syscall("mkdirat", AT.FDCWD, path, 0o700);
  if (answer === -E.EXIST) return false;
  if (answer < 0) must(path, "mkdirat", AT.FDCWD, path, 0o700);
  return true;
}
