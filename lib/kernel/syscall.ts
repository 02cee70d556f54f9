/**
 * The one gate to the kernel: raw system calls through libc's `syscall(2)`.
 *
 * Only this folder may open libc. Everything here acts on the calling thread, synchronously: descriptors are the
 * process's, but namespaces and ids would be this thread's alone, and are therefore never changed from here.
 *
 * @module
 */
import { describeErrno, errnoName } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import { syscallNumber } from "../program/syscalls.ts";
import type { Arch } from "../program/step.ts";

/** An argument: a number as it is, a string as a NUL-terminated buffer, bytes by their address, null as 0. */
export type SyscallArg = number | bigint | string | Uint8Array | null;

/** This machine's architecture. Deno runs on no others. */
export const ARCH: Arch = Deno.build.arch;

/** A system call that failed, with what it was done to. */
export class KernelError extends PaddockError {
  override readonly name = "KernelError";

  /** @param errno positive error number */
  constructor(readonly call: string, readonly object: string, readonly errno: number, hint?: string) {
    super(`${call} ${object}: ${describeErrno(errno)}`, hint === undefined ? {} : { hint });
  }

  /** The errno's name: "ENOENT". */
  get code(): string {
    return errnoName(this.errno);
  }
}

/**
 * Makes a system call and gives its result, or the negative error number; never throws for a failed call. EINTR is
 * retried, except where the caller waits for it to happen.
 *
 * A `Uint8Array` argument must not be moved or collected while the call runs: it is held here.
 *
 * @throws RangeError for a name that is not in the table of system calls.
 */
export function syscall(name: string, ...args: readonly SyscallArg[]): number {
  return syscallByNumber(syscallNumber(name, ARCH), args);
}

/** The same for a number of this architecture. */
export function syscallByNumber(number: number, args: readonly SyscallArg[]): number {
  const held: Uint8Array[] = [];
  const words = args.map((arg) => toWord(arg, held));
  while (words.length < 6) words.push(0n);
  for (;;) {
    const { call, errno } = gate();
    const value = call(BigInt(number), words[0]!, words[1]!, words[2]!, words[3]!, words[4]!, words[5]!);
    // errno is read in the same turn as the call: anything that V8 does in between may overwrite it.
    const failed = value === -1n ? errno() : 0;
    if (failed === 0) return Number(value);
    if (failed !== EINTR) return -failed;
  }
}

/**
 * Makes a system call that must succeed.
 *
 * @param object what it is done to, for the error: a path, a descriptor's meaning.
 * @throws KernelError with the call, the object and the error number.
 */
export function must(object: string, name: string, ...args: readonly SyscallArg[]): number {
  const value = syscall(name, ...args);
  if (value < 0) throw new KernelError(name, object, -value);
  return value;
}

/**
 * Is there something at a path? Asked of the kernel rather than by a failing `Deno.statSync`: the first error that
 * JavaScript throws costs 10 ms and more of a start.
 */
export function isThere(path: string): boolean {
  return syscall("faccessat", -100, path, 0) === 0;
}

/** A NUL-terminated UTF-8 string. */
export function cString(value: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${value}\0`);
}

/** The address of bytes, for a pointer inside a struct. The caller keeps the bytes alive. */
export function addressOf(bytes: Uint8Array): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes as Uint8Array<ArrayBuffer>));
}

const EINTR = 4;

function toWord(arg: SyscallArg, held: Uint8Array[]): bigint {
  if (arg === null) return 0n;
  if (typeof arg === "number") return BigInt(arg);
  if (typeof arg === "bigint") return arg;
  const bytes = typeof arg === "string" ? cString(arg) : arg;
  held.push(bytes);
  return addressOf(bytes);
}

interface Gate {
  call(...words: [bigint, bigint, bigint, bigint, bigint, bigint, bigint]): bigint;
  errno(): number;
}

let opened: Gate | undefined;

/** Opening libc costs a millisecond or two: once, and only for a verb that needs it. */
function gate(): Gate {
  if (opened !== undefined) return opened;
  const { symbols } = Deno.dlopen("libc.so.6", {
    syscall: { parameters: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], result: "i64" },
    __errno_location: { parameters: [], result: "pointer" },
  });
  const errno = new Deno.UnsafePointerView(symbols.__errno_location()!);
  opened = { call: symbols.syscall, errno: () => errno.getInt32() };
  return opened;
}
