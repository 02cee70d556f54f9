/**
 * Kernel constants by their own names, from the user-space headers of Linux.
 *
 * A number is the same on every architecture; a pair is not (`arch/arm64/include/uapi/asm/fcntl.h`).
 *
 * @module
 */
import type { Arch } from "./step.ts";

const CONSTANTS: Readonly<Record<string, number | Readonly<Record<Arch, number>>>> = {
  // man 2 open
  O_RDONLY: 0x0,
  O_WRONLY: 0x1,
  O_RDWR: 0x2,
  O_CREAT: 0x40,
  O_EXCL: 0x80,
  O_NOCTTY: 0x100,
  O_TRUNC: 0x200,
  O_APPEND: 0x400,
  O_NONBLOCK: 0x800,
  O_CLOEXEC: 0x80000,
  O_PATH: 0x200000,
  O_DIRECTORY: { x86_64: 0x10000, aarch64: 0x4000 },
  O_NOFOLLOW: { x86_64: 0x20000, aarch64: 0x8000 },
  O_TMPFILE: { x86_64: 0x410000, aarch64: 0x404000 },
  O_NOATIME: 0x40000,
  // man 2 openat2
  RESOLVE_NO_XDEV: 0x1,
  RESOLVE_NO_MAGICLINKS: 0x2,
  RESOLVE_NO_SYMLINKS: 0x4,
  RESOLVE_BENEATH: 0x8,
  RESOLVE_IN_ROOT: 0x10,
  // man 2 openat, the AT_ flags
  AT_SYMLINK_NOFOLLOW: 0x100,
  AT_REMOVEDIR: 0x200,
  AT_EMPTY_PATH: 0x1000,
  AT_RECURSIVE: 0x8000,
  // man 2 clone
  CLONE_VM: 0x100,
  CLONE_FS: 0x200,
  CLONE_FILES: 0x400,
  CLONE_SIGHAND: 0x800,
  CLONE_VFORK: 0x4000,
  CLONE_PARENT: 0x8000,
  CLONE_PARENT_SETTID: 0x100000,
  CLONE_CHILD_CLEARTID: 0x200000,
  CLONE_NEWNS: 0x20000,
  CLONE_NEWCGROUP: 0x2000000,
  CLONE_NEWUTS: 0x4000000,
  CLONE_NEWIPC: 0x8000000,
  CLONE_NEWUSER: 0x10000000,
  CLONE_NEWPID: 0x20000000,
  CLONE_NEWNET: 0x40000000,
  SIGCHLD: 0x11,
  // man 2 mount
  MS_RDONLY: 0x1,
  MS_NOSUID: 0x2,
  MS_NODEV: 0x4,
  MS_NOEXEC: 0x8,
  MS_SYNCHRONOUS: 0x10,
  MS_REMOUNT: 0x20,
  MS_MANDLOCK: 0x40,
  MS_DIRSYNC: 0x80,
  MS_NOSYMFOLLOW: 0x100,
  MS_NOATIME: 0x400,
  MS_NODIRATIME: 0x800,
  MS_BIND: 0x1000,
  MS_MOVE: 0x2000,
  MS_REC: 0x4000,
  MS_SILENT: 0x8000,
  MS_UNBINDABLE: 0x20000,
  MS_PRIVATE: 0x40000,
  MS_SLAVE: 0x80000,
  MS_SHARED: 0x100000,
  MS_RELATIME: 0x200000,
  MS_I_VERSION: 0x800000,
  MS_STRICTATIME: 0x1000000,
  MS_LAZYTIME: 0x2000000,
  MNT_DETACH: 0x2,
  UMOUNT_NOFOLLOW: 0x8,
  OPEN_TREE_CLONE: 0x1,
  OPEN_TREE_CLOEXEC: 0x80000,
  MOVE_MOUNT_F_EMPTY_PATH: 0x4,
  MOVE_MOUNT_T_EMPTY_PATH: 0x40,
  MOUNT_ATTR_RDONLY: 0x1,
  MOUNT_ATTR_NOSUID: 0x2,
  MOUNT_ATTR_NODEV: 0x4,
  MOUNT_ATTR_NOEXEC: 0x8,
  MOUNT_ATTR__ATIME: 0x70,
  MOUNT_ATTR_RELATIME: 0x0,
  MOUNT_ATTR_NOATIME: 0x10,
  MOUNT_ATTR_STRICTATIME: 0x20,
  MOUNT_ATTR_NODIRATIME: 0x80,
  MOUNT_ATTR_IDMAP: 0x100000,
  MOUNT_ATTR_NOSYMFOLLOW: 0x200000,
  // man 7 inode
  S_IFREG: 0x8000,
  S_IFCHR: 0x2000,
  S_IFBLK: 0x6000,
  S_IFIFO: 0x1000,
  S_IFDIR: 0x4000,
  // man 2 wait
  WNOHANG: 0x1,
  WUNTRACED: 0x2,
  __WALL: 0x40000000,
  // man 2 sigprocmask
  SIG_BLOCK: 0x0,
  SIG_UNBLOCK: 0x1,
  SIG_SETMASK: 0x2,
  SFD_CLOEXEC: 0x80000,
  SFD_NONBLOCK: 0x800,
  // man 2 poll
  POLLIN: 0x1,
  POLLOUT: 0x4,
  POLLHUP: 0x10,
  POLLERR: 0x8,
  // man 2 prctl
  PR_SET_PDEATHSIG: 0x1,
  PR_SET_NAME: 0xf,
  PR_GET_SECCOMP: 0x15,
  PR_SET_DUMPABLE: 0x4,
  PR_CAPBSET_DROP: 0x18,
  PR_SET_NO_NEW_PRIVS: 0x26,
  PR_CAP_AMBIENT: 0x2f,
  PR_CAP_AMBIENT_RAISE: 0x2,
  PR_CAP_AMBIENT_CLEAR_ALL: 0x4,
  PR_SET_KEEPCAPS: 0x8,
  PR_SET_CHILD_SUBREAPER: 0x24,
  PR_SET_SECUREBITS: 0x1c,
  // man 2 ioctl_tty
  TIOCSCTTY: 0x540e,
  TIOCGWINSZ: 0x5413,
  TIOCSWINSZ: 0x5414,
  TCGETS: 0x5401,
  TCSETS: 0x5402,
  TCSETSF: 0x5404,
  TIOCSPTLCK: 0x40045431,
  TIOCGPTPEER: 0x5441,
  TIOCGPTN: 0x80045430,
  TIOCSPGRP: 0x5410,
  TIOCNOTTY: 0x5422,
  // man 2 flock
  LOCK_SH: 0x1,
  LOCK_EX: 0x2,
  LOCK_NB: 0x4,
  LOCK_UN: 0x8,
  // man 2 close_range
  CLOSE_RANGE_UNSHARE: 0x2,
  CLOSE_RANGE_CLOEXEC: 0x4,
  // man 2 socket
  AF_UNIX: 0x1,
  AF_INET: 0x2,
  SOCK_STREAM: 0x1,
  SOL_SOCKET: 0x1,
  MSG_NOSIGNAL: 0x4000,
  SOCK_DGRAM: 0x2,
  SOCK_RAW: 0x3,
  SOCK_CLOEXEC: 0x80000,
  // man 2 fcntl
  F_GETFD: 0x1,
  F_SETFD: 0x2,
  F_GETFL: 0x3,
  F_SETFL: 0x4,
  FD_CLOEXEC: 0x1,
  F_DUPFD_CLOEXEC: 0x406,
  F_SETPIPE_SZ: 0x407,
  F_ADD_SEALS: 0x409,
};

/** The value of a constant; throws RangeError for a name that is not in the table. */
export function constant(name: string, arch: Arch): number {
  const value = CONSTANTS[name];
  if (value === undefined) throw new RangeError(`constant: "${name}" is not known`);
  return typeof value === "number" ? value : value[arch];
}

/** The bitwise or of constants. All of them have less than 32 bits. */
export function combine(names: readonly string[], arch: Arch): number {
  let word = 0;
  for (const name of names) word |= constant(name, arch);
  return word >>> 0;
}

/** Which constants an argument of flags of a call may hold, by the beginning of their names. */
const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  openat: ["O_"],
  openat2: ["O_"],
  dup3: ["O_"],
  mount: ["MS_"],
  umount2: ["MNT_", "UMOUNT_"],
  clone: ["CLONE_", "SIGCHLD"],
  unshare: ["CLONE_"],
  setns: ["CLONE_"],
  unlinkat: ["AT_"],
  fchownat: ["AT_"],
  execveat: ["AT_"],
  open_tree: ["OPEN_TREE_", "AT_RECURSIVE"],
  move_mount: ["MOVE_MOUNT_"],
  mount_setattr: ["AT_"],
  wait4: ["WNOHANG", "WUNTRACED"],
  flock: ["LOCK_"],
  ioctl: ["TIOC", "TC"],
  fcntl: ["F_"],
  prctl: ["PR_"],
  rt_sigprocmask: ["SIG_"],
  socket: ["AF_INET", "SOCK_"],
};

/** Names of the constants that make up `value` as an argument of `call`; undefined where they do not. */
export function constantNames(call: string, value: number, arch: Arch): string | undefined {
  if (value === 0) return "0";
  const families = FAMILIES[call] ?? [];
  const table = Object.keys(CONSTANTS).filter((name) => families.some((family) => name.startsWith(family)));
  const exact = table.find((name) => constant(name, arch) === value);
  if (exact !== undefined) return exact;
  // Those of several bits (O_TMPFILE) before those that are part of them.
  const bits = (name: string) => constant(name, arch).toString(2).replaceAll("0", "").length;
  const found: string[] = [];
  let left = BigInt(value);
  for (const name of table.sort((a, b) => bits(b) - bits(a))) {
    const mask = BigInt(constant(name, arch));
    if (mask === 0n || (left & mask) !== mask) continue;
    found.push(name);
    left &= ~mask;
  }
  return left === 0n ? found.join("|") : undefined;
}
