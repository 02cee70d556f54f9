/**
 * Directories of the host: whether they are there, and what room they have.
 *
 * @module
 */
import { AT } from "../kernel/fs.ts";
import { syscall } from "../kernel/syscall.ts";

/** The directory itself, or the nearest one above it that exists. */
export function findExisting(path: string): string {
  let at = path;
  while (at !== "/" && syscall("faccessat", AT.FDCWD, at, 0) < 0) at = at.slice(0, at.lastIndexOf("/")) || "/";
  return at;
}

/** Bytes that an unprivileged process could still write to the filesystem of a path (`man 2 statfs`); 0 where unknown. */
export function readFreeSpace(path: string): number {
  const buffer = new Uint8Array(120);
  if (syscall("statfs", path, buffer) < 0) return 0;
  const view = new DataView(buffer.buffer);
  return Number(view.getBigInt64(8, true) * view.getBigUint64(32, true));
}
