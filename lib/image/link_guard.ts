/**
 * Remembers the symbolic links of an archive, and knows which of its entries go through one that leads out.
 *
 * Nothing gets out in any case: every path is looked up inside the new root by the kernel. But who makes such an archive
 * means something by it, and what lands where is then not what the archive seems to hold.
 *
 * @module
 */
import type { ByteString } from "../base/byte_string.ts";

/** The links of one archive. */
export class LinkGuard {
  readonly #leadingOut = new Set<ByteString>();

  /** @param isRooted an absolute target begins at the new root, as it does for who unpacks layers of images. */
  constructor(private readonly isRooted = false) {}

  /** A link was made. @param parts components of its path. */
  add(parts: readonly ByteString[], target: ByteString): void {
    const path = parts.join("/");
    const isInside = this.isRooted && target.startsWith("/");
    if (isInside ? leadsOut(0, target.replace(/^\/+/, "")) : leadsOut(parts.length - 1, target)) {
      this.#leadingOut.add(path);
    } else this.#leadingOut.delete(path);
  }

  /** Something else stands in a link's place. */
  remove(parts: readonly ByteString[]): void {
    if (this.#leadingOut.size > 0) this.#leadingOut.delete(parts.join("/"));
  }

  /** The first link on the way to a path that leads out; undefined where there is none. The path's own end does not count. */
  find(parts: readonly ByteString[]): ByteString | undefined {
    if (this.#leadingOut.size === 0) return undefined;
    for (let length = 1; length < parts.length; length++) {
      const path = parts.slice(0, length).join("/");
      if (this.#leadingOut.has(path)) return path;
    }
    return undefined;
  }
}

/** True for an absolute target, and for one that climbs above the root from a directory of that depth. */
function leadsOut(depth: number, target: ByteString): boolean {
  if (target.startsWith("/")) return true;
  let at = depth;
  for (const part of target.split("/")) {
    if (part === "..") at--;
    else if (part !== "" && part !== ".") at++;
    if (at < 0) return true;
  }
  return false;
}
