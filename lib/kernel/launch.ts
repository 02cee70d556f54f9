/**
 * Becoming a launcher: this process, Deno and all, is replaced by a program of some forty kilobytes.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { describeErrno, errnoName } from "../base/errno.ts";
import { moveDescriptors } from "./inherited.ts";
import { addressOf, cString, KernelError, must, syscall } from "./syscall.ts";

const MFD_CLOEXEC = 1;
const MFD_ALLOW_SEALING = 2;
/** Says that the file is meant to be executed; kernels before 6.3 do not know it (`man 2 memfd_create`). */
const MFD_EXEC = 0x10;
const F_ADD_SEALS = 1033;
/** No more seals, no shrinking, no growing, no writing: what runs can never be changed. */
const ALL_SEALS = 0x1 | 0x2 | 0x4 | 0x8;
const AT_EMPTY_PATH = 0x1000;
const F_SETFD = 2;
const FD_CLOEXEC = 1;

/** What a launcher is started with. */
export interface LaunchOptions {
  /** The first word of its command line, which `ps` shows. */
  readonly title: string;
  /** A descriptor that it keeps, and the number that it gets there. */
  readonly keep?: { readonly fd: number; readonly as: number };
  /** Descriptors from `first` on that it gets as well, from `as` on. */
  readonly preserved?: { readonly first: number; readonly count: number; readonly as: number };
  /** A directory on a filesystem that allows execution, for hosts which forbid it for files in memory. */
  readonly fallbackDirectory: string;
  /** Its environment, each entry NUL-terminated; none unless given. */
  readonly environment?: readonly Uint8Array[];
  /** True where the launcher cannot close the other descriptors itself (a kernel before 5.9). */
  readonly markDescriptors: boolean;
}

/**
 * Executes a launcher in place of this process. Does not return.
 *
 * @throws KernelError or PaddockError when it cannot be executed; then this process goes on.
 */
export function becomeLauncher(program: Uint8Array, options: LaunchOptions): never {
  const inMemory = sealedProgram(program);
  const fd = inMemory ?? unlinkedProgram(program, options.fallbackDirectory);
  if (options.markDescriptors) markDescriptors();
  if (options.preserved !== undefined) moveDescriptors(options.preserved);
  // The descriptor's old owner, if it had one, is this process, which is about to end.
  if (options.keep !== undefined) keepDescriptor(options.keep);
  const first = executeDescriptor(fd, options);
  if (inMemory === undefined) throw executeError(first);
  // `vm.memfd_noexec=2` and some security modules forbid what a file of the same content may do.
  const second = executeDescriptor(unlinkedProgram(program, options.fallbackDirectory), options);
  throw executeError(second);
}

/**
 * The number of a descriptor of a file with this program, which a child may execute as `/proc/PID/fd/N`.
 *
 * @param where in memory if that can be, unless said otherwise
 * @throws KernelError or PaddockError where neither can be
 */
export function openProgram(program: Uint8Array, fallbackDirectory: string, where?: "in the directory"): number {
  const inMemory = where === undefined ? sealedProgram(program) : undefined;
  return inMemory ?? unlinkedProgram(program, fallbackDirectory);
}

function keepDescriptor({ fd, as }: { readonly fd: number; readonly as: number }): void {
  if (fd === as) must(`descriptor ${fd}`, "fcntl", fd, F_SETFD, 0);
  else must(`descriptor ${fd}`, "dup3", fd, as, 0);
}

function executeError(errno: number): PaddockError {
  return new PaddockError(`cannot execute the launcher: ${describeErrno(errno)}`, {
    hint: "see `paddock doctor`: the data root must be on a filesystem that allows execution",
  });
}

/** A sealed file in memory with the program; undefined where the kernel forbids or lacks it. */
function sealedProgram(program: Uint8Array): number | undefined {
  const flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
  let fd = syscall("memfd_create", "paddock", flags | MFD_EXEC);
  if (errnoName(-fd) === "EINVAL") fd = syscall("memfd_create", "paddock", flags);
  if (fd < 0) return undefined;
  writeAll(fd, program, "the launcher");
  must("the launcher", "fcntl", fd, F_ADD_SEALS, ALL_SEALS);
  return fd;
}

/** A file that has no name any more, opened for reading only: a file open for writing cannot be executed. */
function unlinkedProgram(program: Uint8Array, directory: string): number {
  const path = `${directory}/.launcher-${Deno.pid}`;
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    Deno.writeFileSync(path, program, { createNew: true, mode: 0o700 });
    const O_RDONLY_CLOEXEC = 0o2000000;
    return must(path, "openat", -100, path, O_RDONLY_CLOEXEC, 0);
  } catch (cause) {
    if (cause instanceof KernelError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new PaddockError(`cannot write the launcher to ${path}: ${reason}`, { cause });
  } finally {
    syscall("unlinkat", -100, path, 0);
  }
}

function writeAll(fd: number, bytes: Uint8Array, object: string): void {
  for (let done = 0; done < bytes.length;) done += must(object, "write", fd, bytes.subarray(done), bytes.length - done);
}

/** Gives the error number: a call that works does not come back. */
function executeDescriptor(fd: number, { title, environment = [] }: LaunchOptions): number {
  const name = cString(title);
  const argv = new BigUint64Array([addressOf(name), 0n]);
  const env = new BigUint64Array([...environment.map(addressOf), 0n]);
  const bytes = (words: BigUint64Array<ArrayBuffer>) => new Uint8Array(words.buffer);
  return -syscall("execveat", fd, "", bytes(argv), bytes(env), AT_EMPTY_PATH);
}

/** Every descriptor but the standard three will be closed by an exec. */
export function markDescriptors(): void {
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    if (Number(name) > 2) syscall("fcntl", Number(name), F_SETFD, FD_CLOEXEC);
  }
}
