/**
 * A path inside a root that is not trusted, down to its last component: the directory that it lies in, by a descriptor,
 * and its name there, which calls take that follow no link.
 *
 * @module
 */
import type { ByteString } from "../base/byte_string.ts";
import type { Fd } from "./fd.ts";
import { E, O, readLinkAt, S, statAt } from "./fs.ts";
import { openInRoot } from "./in_root.ts";
import { KernelError } from "./syscall.ts";

/** Something in a directory, which is there or not; without a name it is the directory itself. */
export interface Located extends Disposable {
  readonly directory: Fd;
  readonly name: ByteString;
}

/** As many as the kernel follows (`MAXSYMLINKS`). */
const MAX_LINKS = 40;

/**
 * Finds it. Its directory must be there.
 *
 * @param follow where the last component is a link, what that leads to, inside `root`.
 * @throws KernelError
 */
export function locate(root: number, path: ByteString, follow: boolean): Located {
  let at = path;
  for (let links = 0;; links++) {
    const { parent, name } = split(at);
    const directory = openInRoot(root, parent, O.PATH | O.DIRECTORY);
    const located = { directory, name, [Symbol.dispose]: () => directory.close() };
    if (name === "" || !follow) return located;
    const stat = statAt(directory.number, name);
    if (stat === undefined || (stat.mode & S.IFMT) !== S.IFLNK) return located;
    using _closed = directory;
    if (links >= MAX_LINKS) throw new KernelError("openat2", path, E.LOOP);
    const target = readLinkAt(directory.number, name);
    at = target.startsWith("/") ? target : `${parent}/${target}`;
  }
}

/** `..` and `.` at the end are directories that have no name of their own. */
function split(path: ByteString): { readonly parent: ByteString; readonly name: ByteString } {
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  const name = trimmed.slice(slash + 1);
  if (name === "" || name === "." || name === "..") return { parent: trimmed === "" ? "/" : trimmed, name: "" };
  return { parent: slash < 0 ? "/" : `${trimmed.slice(0, slash)}/`, name };
}
