/**
 * Kernel releases as numbers.
 *
 * @module
 */

/** Major, minor, patch. */
export type KernelVersion = readonly [number, number, number];

/**
 * Reads the numbers at the start of a release string (`uname -r`): "5.10.0-28-amd64" is 5, 10, 0. A number that is not
 * there counts as 0, so that a strange release looks old and nothing is expected of it.
 */
export function parseKernelVersion(release: string): KernelVersion {
  const match = /^(\d+)(?:\.(\d+))?(?:\.(\d+))?/.exec(release);
  return [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0), Number(match?.[3] ?? 0)];
}

/** True where `version` is `major.minor` or newer. */
export function isKernelAtLeast(version: KernelVersion, major: number, minor: number): boolean {
  return version[0] > major || (version[0] === major && version[1] >= minor);
}
