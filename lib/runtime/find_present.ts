/**
 * What a root filesystem has already of what would be mounted in it.
 *
 * @module
 */
import { RootView } from "../image/root_files.ts";

/** Which mount points are there already, as far as they lie in the image and not on another mount. */
export function findPresent(points: readonly string[], layers: readonly string[]): Set<string> {
  const inImage = points.filter((path) => !points.some((other) => path.startsWith(`${other}/`)));
  if (layers.length === 0) return new Set();
  using root = new RootView(layers);
  return new Set(inImage.filter((path) => root.has(path)));
}
