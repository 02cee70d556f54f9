/**
 * System calls on files, bound with their own parameter types: the form for a loop that makes hundreds of thousands.
 *
 * `syscall` in syscall.ts takes any arguments and pays for it (4 µs a call measured, 1.9 µs here). Each signature is one
 * more binding of libc's `syscall`, opened when it is first needed. All functions give the result or the negative error
 * number, retry EINTR and never throw; names are NUL-terminated bytes (`toCBytes`).
 *
 * @module
 */
import { syscallNumber } from "../program/syscalls.ts";
import { ARCH, syscallByNumber } from "./syscall.ts";

/** A NUL-terminated name. */
export type CName = Uint8Array<ArrayBuffer>;

const EINTR = 4;

const NUMBER = {
  close: number("close"),
  fchmod: number("fchmod"),
  fchmodat: number("fchmodat"),
  fchown: number("fchown"),
  fchownat: number("fchownat"),
  fgetxattr: number("fgetxattr"),
  flistxattr: number("flistxattr"),
  flock: number("flock"),
  fsetxattr: number("fsetxattr"),
  fsync: number("fsync"),
  ftruncate: number("ftruncate"),
  getdents64: number("getdents64"),
  lgetxattr: number("lgetxattr"),
  linkat: number("linkat"),
  llistxattr: number("llistxattr"),
  lseek: number("lseek"),
  lsetxattr: number("lsetxattr"),
  mkdirat: number("mkdirat"),
  mknodat: number("mknodat"),
  openat: number("openat"),
  openat2: number("openat2"),
  pread64: number("pread64"),
  pwrite64: number("pwrite64"),
  read: number("read"),
  readlinkat: number("readlinkat"),
  renameat2: number("renameat2"),
  statx: number("statx"),
  symlinkat: number("symlinkat"),
  syncfs: number("syncfs"),
  unlinkat: number("unlinkat"),
  utimensat: number("utimensat"),
  write: number("write"),
} as const;

function number(name: string): number {
  return syscallNumber(name, ARCH);
}

/** `man 2 openat`. */
export function openat(dir: number, name: CName, flags: number, mode = 0): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.openat, dir, name, flags, mode, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 openat2`; `how` is a `struct open_how` of 24 bytes. */
export function openat2(dir: number, name: CName, how: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().fdNameBuffer(NUMBER.openat2, dir, name, how, how.length, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 mkdirat`. */
export function mkdirat(dir: number, name: CName, mode: number): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.mkdirat, dir, name, mode, 0, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 mknodat`; `mode` holds the type, `device` the kernel's number of it. */
export function mknodat(dir: number, name: CName, mode: number, device: number): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.mknodat, dir, name, mode, device, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 unlinkat`; `flags` 0 or AT_REMOVEDIR. */
export function unlinkat(dir: number, name: CName, flags: number): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.unlinkat, dir, name, flags, 0, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 fchownat`. */
export function fchownat(dir: number, name: CName, uid: number, gid: number, flags: number): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.fchownat, dir, name, uid, gid, flags));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 fchmodat`, the system call, which follows a symlink at the end: only for a name that was just made. */
export function fchmodat(dir: number, name: CName, mode: number): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.fchmodat, dir, name, mode, 0, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 linkat`. */
export function linkat(oldDir: number, oldName: CName, newDir: number, newName: CName, flags: number): number {
  for (;;) {
    const result = settle(gate().twoNames(NUMBER.linkat, oldDir, oldName, newDir, newName, flags));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 renameat2`. */
export function renameat2(oldDir: number, oldName: CName, newDir: number, newName: CName, flags: number): number {
  for (;;) {
    const result = settle(gate().twoNames(NUMBER.renameat2, oldDir, oldName, newDir, newName, flags));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 symlinkat`. */
export function symlinkat(target: CName, dir: number, name: CName): number {
  for (;;) {
    const result = settle(gate().nameFdName(NUMBER.symlinkat, target, dir, name));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 readlinkat`; gives the length that it wrote into `into`. */
export function readlinkat(dir: number, name: CName, into: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().fdNameBuffer(NUMBER.readlinkat, dir, name, into, into.length, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 utimensat`; `times` holds two `struct timespec`. */
export function utimensat(dir: number, name: CName | null, times: Uint8Array<ArrayBuffer>, flags: number): number {
  for (;;) {
    const result = settle(gate().fdNameBuffer(NUMBER.utimensat, dir, name, times, flags, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 statx`; `into` is a `struct statx` of 256 bytes. */
export function statx(dir: number, name: CName, flags: number, mask: number, into: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().statx(NUMBER.statx, dir, name, flags, mask, into));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 read`. */
export function read(fd: number, into: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.read, fd, into, into.length, 0, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 pread`; `offset` in bytes. */
export function pread(fd: number, into: Uint8Array<ArrayBuffer>, offset: number): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.pread64, fd, into, into.length, offset, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 write`. */
export function write(fd: number, bytes: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.write, fd, bytes, bytes.length, 0, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 pwrite`; `offset` in bytes. */
export function pwrite(fd: number, bytes: Uint8Array<ArrayBuffer>, offset: number): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.pwrite64, fd, bytes, bytes.length, offset, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 getdents64`. */
export function getdents64(fd: number, into: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.getdents64, fd, into, into.length, 0, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 close`; EINTR is not retried: on Linux the descriptor is gone all the same. */
export function close(fd: number): number {
  return settleWide(gate().numbers(NUMBER.close, fd, 0, 0));
}

/** `man 2 fchown`. */
export function fchown(fd: number, uid: number, gid: number): number {
  for (;;) {
    const result = settleWide(gate().numbers(NUMBER.fchown, fd, uid, gid));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 fchmod`. */
export function fchmod(fd: number, mode: number): number {
  for (;;) {
    const result = settleWide(gate().numbers(NUMBER.fchmod, fd, mode, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 ftruncate`; `size` in bytes. */
export function ftruncate(fd: number, size: number): number {
  for (;;) {
    const result = settleWide(gate().numbers(NUMBER.ftruncate, fd, size, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 lseek`; gives the new offset. */
export function lseek(fd: number, offset: number, whence: number): number {
  for (;;) {
    const result = settleWide(gate().numbers(NUMBER.lseek, fd, offset, whence));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 flock`. With LOCK_NB a held lock gives -EAGAIN. */
export function flock(fd: number, operation: number): number {
  for (;;) {
    const result = settleWide(gate().numbers(NUMBER.flock, fd, operation, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 fsync`. */
export function fsync(fd: number): number {
  for (;;) {
    const result = settleWide(gate().numbers(NUMBER.fsync, fd, 0, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 syncfs`. */
export function syncfs(fd: number): number {
  for (;;) {
    const result = settleWide(gate().numbers(NUMBER.syncfs, fd, 0, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 fsetxattr`. */
export function fsetxattr(fd: number, name: CName, value: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().fdNameBuffer(NUMBER.fsetxattr, fd, name, value, value.length, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 fgetxattr`; an empty `into` asks for the size. */
export function fgetxattr(fd: number, name: CName, into: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().fdNameBuffer(NUMBER.fgetxattr, fd, name, into, into.length, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 flistxattr`; an empty `into` asks for the size. */
export function flistxattr(fd: number, into: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().fdName(NUMBER.flistxattr, fd, into, into.length, 0, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 lsetxattr`: the one form that reaches a symlink or a device; see `procPath` for a path by descriptor. */
export function lsetxattr(path: CName, name: CName, value: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().threeBuffers(NUMBER.lsetxattr, path, name, value, value.length, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 lgetxattr`. */
export function lgetxattr(path: CName, name: CName, into: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().threeBuffers(NUMBER.lgetxattr, path, name, into, into.length, 0));
    if (result !== -EINTR) return result;
  }
}

/** `man 2 llistxattr`. */
export function llistxattr(path: CName, into: Uint8Array<ArrayBuffer>): number {
  for (;;) {
    const result = settle(gate().twoBuffers(NUMBER.llistxattr, path, into, into.length));
    if (result !== -EINTR) return result;
  }
}

/** The result, or the negative error number; read in the same turn as the call: V8 may overwrite it in between. */
function settle(value: number): number {
  return value === -1 ? -(opened ?? SLOW).errno() : value;
}

function settleWide(value: bigint): number {
  return value === -1n ? -(opened ?? SLOW).errno() : Number(value);
}

type Bytes = Uint8Array<ArrayBuffer>;

/** libc's `syscall` under the signatures that the calls above need. */
interface Gate {
  fdName(number: number, fd: number, name: Bytes, a: number, b: number, c: number): number;
  fdNameBuffer(number: number, fd: number, name: Bytes | null, buffer: Bytes, a: number, b: number): number;
  twoNames(number: number, fd: number, name: Bytes, otherFd: number, otherName: Bytes, flags: number): number;
  nameFdName(number: number, target: Bytes, fd: number, name: Bytes): number;
  statx(number: number, fd: number, name: Bytes, flags: number, mask: number, into: Bytes): number;
  twoBuffers(number: number, path: Bytes, into: Bytes, size: number): number;
  threeBuffers(number: number, path: Bytes, name: Bytes, value: Bytes, size: number, flags: number): number;
  numbers(number: number, fd: number, a: number, b: number): bigint;
  errno(): number;
}

let opened: Gate | undefined;
let calls = 0;

/** So many calls go through the general binding before another one is opened, which takes 5 ms. */
const FEW = 500;

function gate(): Gate {
  if (opened !== undefined) return opened;
  return calls++ < FEW ? SLOW : opened = openGate();
}

/** The general binding under the same signatures: its negative error numbers are taken apart again. */
const slowly = (number: number, ...args: readonly (number | Bytes | null)[]): number => {
  const result = syscallByNumber(number, args);
  lastError = result < 0 ? -result : 0;
  return result < 0 ? -1 : result;
};
let lastError = 0;

const SLOW: Gate = {
  fdName: slowly,
  fdNameBuffer: slowly,
  twoNames: slowly,
  nameFdName: slowly,
  statx: slowly,
  twoBuffers: slowly,
  threeBuffers: slowly,
  numbers: (number, ...args) => BigInt(slowly(number, ...args)),
  errno: () => lastError,
};

function openGate(): Gate {
  const { symbols } = Deno.dlopen("libc.so.6", {
    fdName: { name: "syscall", parameters: ["i32", "i32", "buffer", "i64", "i64", "i64"], result: "i32" },
    fdNameBuffer: { name: "syscall", parameters: ["i32", "i32", "buffer", "buffer", "i64", "i64"], result: "i32" },
    twoNames: { name: "syscall", parameters: ["i32", "i32", "buffer", "i32", "buffer", "i64"], result: "i32" },
    nameFdName: { name: "syscall", parameters: ["i32", "buffer", "i32", "buffer"], result: "i32" },
    statx: { name: "syscall", parameters: ["i32", "i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
    twoBuffers: { name: "syscall", parameters: ["i32", "buffer", "buffer", "i64"], result: "i32" },
    threeBuffers: { name: "syscall", parameters: ["i32", "buffer", "buffer", "buffer", "i64", "i64"], result: "i32" },
    numbers: { name: "syscall", parameters: ["i32", "i32", "i64", "i64"], result: "i64" },
    __errno_location: { parameters: [], result: "pointer" },
  });
  const errno = new Deno.UnsafePointerView(symbols.__errno_location()!);
  // An i64 parameter takes numbers as well as bigints; its type says bigint alone.
  return { ...symbols, errno: () => errno.getInt32() } as unknown as Gate;
}
