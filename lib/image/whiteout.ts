/**
 * Entries of a layer that remove what lies below (image-spec layer.md, "Whiteouts"). Pure.
 *
 * @module
 */
import type { ByteString } from "../base/byte_string.ts";

/** What an entry means: a file as any other, one name that is hidden, a directory of which only this layer's files are seen. */
export type LayerEntry =
  | { readonly kind: "file" }
  | { readonly kind: "hide"; readonly parent: readonly ByteString[]; readonly name: ByteString }
  | { readonly kind: "opaque"; readonly directory: readonly ByteString[] }
  /** What the union filesystem of old dockers kept for itself. */
  | { readonly kind: "ignore" }
  | { readonly kind: "refuse"; readonly why: string };

const PREFIX = ".wh.";
const META_PREFIX = ".wh..wh.";
const OPAQUE = ".wh..wh..opq";

/** Tells what an entry means. @param parts components of its path, without `.` and `..`. */
export function readLayerEntry(parts: readonly ByteString[]): LayerEntry {
  if (!parts.some((part) => part.startsWith(PREFIX))) return { kind: "file" };
  const parent = parts.slice(0, -1);
  const last = parts.at(-1)!;
  if (last === OPAQUE && !parent.some((part) => part.startsWith(PREFIX))) return { kind: "opaque", directory: parent };
  if (parts.some((part) => part.startsWith(META_PREFIX) && part !== OPAQUE)) return { kind: "ignore" };
  if (parent.some((part) => part.startsWith(PREFIX))) {
    return { kind: "refuse", why: "lies in a directory with the name of a whiteout" };
  }
  const name = last.slice(PREFIX.length);
  // They would hide the whole directory, or something outside of it.
  if (name === "" || name === "." || name === "..") return { kind: "refuse", why: "is a whiteout that names no file" };
  return { kind: "hide", parent, name };
}
