/**
 * fuse-overlayfs, which does an overlay's work where the kernel's own is missing or refuses.
 *
 * @module
 */

const PLACES = ["/usr/bin", "/usr/local/bin", "/bin"].map((directory) => `${directory}/fuse-overlayfs`);

/** Its path; undefined where it is not installed, or the kernel has no fuse for it. */
export function findFuseOverlay(exists: (path: string) => boolean): string | undefined {
  return exists("/dev/fuse") ? PLACES.find(exists) : undefined;
}
