/**
 * A tiny layer with the mount points that a root filesystem lacks, put between it and a container's own changes.
 *
 * Without it, mounting /proc or /etc/hosts on a root filesystem that has no such name would create it in the container's
 * upper directory, and the files would show up in what the user saves.
 *
 * @module
 */
import { type ByteString, quoteName, toCBytes } from "../base/byte_string.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { check, encodeTimes, type FileStat, O, openAt, S } from "../kernel/fs.ts";
import type { LowerTree } from "./lower_tree.ts";

const DIRECTORIES: readonly ByteString[] = ["dev", "proc", "sys"];
const ETC_FILES: readonly ByteString[] = ["hostname", "hosts", "resolv.conf"];

/**
 * Makes the layer when something is missing. What is there is left alone, whatever it is: a symlink at such a place is
 * the business of whoever mounts there.
 *
 * @param rootfs the layers of the root filesystem.
 * @param dir descriptor of the directory to make the layer in, under `name`.
 * @returns whether a layer was needed and made.
 * @throws KernelError
 */
export function makeInitLayer(rootfs: LowerTree, dir: number, name: ByteString): boolean {
  const directories = DIRECTORIES.filter((entry) => rootfs.stat([entry]) === undefined);
  const etc = rootfs.stat(["etc"]);
  const hasEtc = etc !== undefined && (etc.mode & S.IFMT) === S.IFDIR;
  const files = etc === undefined || hasEtc ? ETC_FILES.filter((file) => rootfs.stat(["etc", file]) === undefined) : [];
  if (directories.length === 0 && files.length === 0) return false;
  const root = rootfs.stat([]);
  // An overlay shows the uppermost layer's owner, mode and times of a directory: they are copied.
  using layer = makeLike(dir, name, root);
  for (const entry of directories) makeLike(layer.number, entry, undefined).close();
  if (files.length > 0) {
    using etcLayer = makeLike(layer.number, "etc", etc);
    for (const entry of files) openAt(etcLayer.number, entry, O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o644).close();
    copyTimes(etcLayer.number, etc);
  }
  copyTimes(layer.number, root);
  return true;
}

/** A directory with the owner and mode of another; root's and 0755 without one. */
function makeLike(dir: number, name: ByteString, model: FileStat | undefined): Fd {
  const what = quoteName(name);
  check(what, "mkdirat", calls.mkdirat(dir, toCBytes(name), 0o700));
  const made = openAt(dir, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  check(what, "fchown", calls.fchown(made.number, model?.uid ?? 0, model?.gid ?? 0));
  check(what, "fchmod", calls.fchmod(made.number, (model?.mode ?? 0o755) & 0o7777));
  return made;
}

function copyTimes(fd: number, model: FileStat | undefined): void {
  if (model !== undefined) calls.utimensat(fd, null, encodeTimes(model.mtimeSec, model.mtimeNsec), 0);
}
