/**
 * Files of a root filesystem that paddock reads for itself: never through a symlink that leads out, never a device.
 *
 * @module
 */
import { encodeText } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import { check, E, O, openDirectory, readWhole, S, statFd } from "../kernel/fs.ts";
import { tryOpenInRoot } from "../kernel/in_root.ts";

/** The files that say who is who in an image, as text; empty where it has none. */
export interface UserFiles {
  readonly passwd: string;
  readonly group: string;
}

/** Far above any real user database. */
const SIZE_LIMIT = 4 * 1024 * 1024;

/**
 * Reads /etc/passwd and /etc/group of a root filesystem.
 *
 * @param rootfs absolute path of it on the host.
 * @throws PaddockError for a file that is no regular file, too large, or cannot be read.
 */
export function readUserFiles(rootfs: string): UserFiles {
  using root = openDirectory(rootfs);
  return {
    passwd: readRootFile(root.number, "/etc/passwd") ?? "",
    group: readRootFile(root.number, "/etc/group") ?? "",
  };
}

/** The text of a file inside a root filesystem, or `undefined` when there is none. @throws PaddockError */
export function readRootFile(root: number, path: string, limit = SIZE_LIMIT): string | undefined {
  const bytes = readRootBytes(root, path, limit);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** The same as bytes. @throws PaddockError */
export function readRootBytes(root: number, path: string, limit = SIZE_LIMIT): Uint8Array | undefined {
  // O_NONBLOCK: a fifo in its place must not keep us waiting.
  const fd = tryOpenInRoot(root, encodeText(path), O.RDONLY | O.NONBLOCK | O.NOCTTY);
  if (fd === -E.NOENT || fd === -E.NOTDIR) return undefined;
  using file = new Fd(check(`"${path}" of the image`, "open", fd));
  const { mode, size } = statFd(file.number, `"${path}" of the image`);
  if ((mode & S.IFMT) !== S.IFREG) throw new PaddockError(`"${path}" of the image is not a regular file`);
  if (size > limit) throw new PaddockError(`"${path}" of the image is larger than ${limit} bytes`);
  return readWhole(file.number, limit, path);
}

/** Is something at a path inside a root filesystem? Symlinks are followed, inside. */
export function existsInRoot(root: number, path: string): boolean {
  const fd = tryOpenInRoot(root, encodeText(path), O.PATH);
  if (fd >= 0) calls.close(fd);
  return fd >= 0;
}
