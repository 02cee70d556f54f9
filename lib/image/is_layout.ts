/**
 * Tells a directory that holds an image from one that is a root filesystem.
 *
 * @module
 */
import { isThere } from "../kernel/syscall.ts";

/** Is a directory an image layout, or an unpacked `docker save` archive, and no root filesystem? */
export function isLayout(path: string): boolean {
  const has = (name: string): boolean => isThere(`${path}/${name}`);
  const isImage = (has("oci-layout") && has("index.json")) || (has("manifest.json") && has("repositories"));
  return isImage && !has("bin") && !has("usr");
}
