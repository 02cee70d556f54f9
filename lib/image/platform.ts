/**
 * Which of an index's manifests is for this machine. Pure.
 *
 * @module
 */
import type { IndexEntry, Platform } from "./manifest.ts";

/** The platform of this machine, in Go's words, as images have them. */
export function thisPlatform(arch: string): Platform {
  return { os: "linux", architecture: arch === "aarch64" ? "arm64" : arch === "x86_64" ? "amd64" : arch };
}

/**
 * What each architecture runs, the best first; "" is an entry that names no variant. Later variants (amd64's v2 to v4,
 * arm64's v9) need a processor of their own and are not guessed.
 */
const VARIANTS: Readonly<Record<string, readonly string[]>> = { arm64: ["v8", ""], amd64: ["", "v1"] };

/**
 * The entry for a platform; one that names no platform counts as the last resort. Attestations are no images.
 *
 * @returns undefined where there is none.
 */
export function choosePlatform(entries: readonly IndexEntry[], wanted: Platform): IndexEntry | undefined {
  const images = entries.filter((entry) => !isAttestation(entry));
  for (const variant of VARIANTS[wanted.architecture] ?? [""]) {
    const found = images.find(({ platform }) =>
      platform !== undefined && platform.os === wanted.os && platform.architecture === wanted.architecture &&
      (platform.variant ?? "") === variant
    );
    if (found !== undefined) return found;
  }
  return images.find(({ platform }) => platform === undefined);
}

/** What buildkit puts beside an image: statements about it, for no platform. */
export function isAttestation({ annotations, platform }: IndexEntry): boolean {
  return annotations["vnd.docker.reference.type"] === "attestation-manifest" ||
    (platform?.os === "unknown" && platform.architecture === "unknown");
}

/** `linux/arm64/v8`. */
export function describePlatform({ os, architecture, variant }: Platform): string {
  return [os, architecture, ...(variant === undefined ? [] : [variant])].join("/");
}
