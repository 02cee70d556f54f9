/**
 * Removes a tree by descriptors: no symlink is followed, no mount is entered.
 *
 * @module
 */
import { type ByteString, quoteName, toCBytes } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { Fd } from "./fd.ts";
import * as calls from "./file_calls.ts";
import { AT, check, E, type FileStat, O, readDirectory, statAt, statFd } from "./fs.ts";

/** Descriptors open at a time; what lies deeper is moved up first. */
const MAX_DEPTH = 100;

/**
 * Removes a name and all below it. A name that is not there is no error.
 *
 * @param dir descriptor of the directory that holds it.
 * @throws PaddockError when something is mounted below: that is left, and so is the way to it.
 * @throws KernelError
 */
export function removeTreeAt(dir: number, name: ByteString): void {
  const cName = toCBytes(name);
  const result = calls.unlinkat(dir, cName, 0);
  if (result === 0 || result === -E.NOENT) return;
  // EPERM is what POSIX and some filesystems say of a directory.
  if (result !== -E.ISDIR && result !== -E.PERM) check(quoteName(name), "unlinkat", result);
  const home = statFd(dir, quoteName(name));
  {
    using top = openChild(dir, cName, name);
    if (top === undefined) return;
    requireSameMount(home, statFd(top.number, quoteName(name)), name);
    emptyDirectory(top.number, top.number, home, name, 1);
  }
  removeDirectory(dir, cName, name);
}

function emptyDirectory(fd: number, top: number, home: FileStat, path: ByteString, depth: number): void {
  // Once more at the top for as long as directories are moved there from below.
  do {
    for (const { name } of readDirectory(fd, quoteName(path))) {
      const cName = toCBytes(name);
      const childPath = `${path}/${name}`;
      const result = calls.unlinkat(fd, cName, 0);
      if (result === 0 || result === -E.NOENT) continue;
      if (result !== -E.ISDIR && result !== -E.PERM) check(quoteName(childPath), "unlinkat", result);
      const there = statAt(fd, name);
      if (there !== undefined) requireSameMount(home, there, childPath);
      if (depth >= MAX_DEPTH) {
        moveUp(fd, cName, top, childPath);
        continue;
      }
      {
        using child = openChild(fd, cName, childPath);
        if (child !== undefined) emptyDirectory(child.number, top, home, childPath, depth + 1);
      }
      removeDirectory(fd, cName, childPath);
    }
  } while (fd === top && readDirectory(fd, quoteName(path)).length > 0);
}

let movedCount = 0;

/** Moves a directory that lies too deep to the top of the tree that is being removed. */
function moveUp(fd: number, name: calls.CName, top: number, path: ByteString): void {
  const temporary = toCBytes(`.paddock-removed-${Deno.pid}-${movedCount++}`);
  check(quoteName(path), "renameat2", calls.renameat2(fd, name, top, temporary, 0));
}

/** `undefined` when another process, removing the same tree, was faster. */
function openChild(dir: number, name: calls.CName, path: ByteString): Fd | undefined {
  const fd = calls.openat(dir, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW | O.CLOEXEC);
  return fd === -E.NOENT ? undefined : new Fd(check(quoteName(path), "openat", fd));
}

function removeDirectory(dir: number, name: calls.CName, path: ByteString): void {
  const result = calls.unlinkat(dir, name, AT.REMOVEDIR);
  if (result !== -E.NOENT) check(quoteName(path), "unlinkat", result);
}

/** A bind mount of the same filesystem has another mount id; before Linux 5.8 only another device shows. */
function requireSameMount(home: FileStat, there: FileStat, path: ByteString): void {
  if (home.dev === there.dev && home.mountId === there.mountId) return;
  throw new PaddockError(`removing ${quoteName(path)}: something is mounted there`, {
    hint: `see it with findmnt, unmount it, and try again`,
  });
}
