/**
 * Hashes content, to see that it is what its digest says.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { ContentDigest } from "./content_digest.ts";

/** Takes every piece in order, then gives the digest. */
export interface ContentHash {
  update(bytes: Uint8Array): void;
  finish(): ContentDigest;
}

/** Begins a digest of the same algorithm as the one that is expected. */
export async function startHash(expected: ContentDigest): Promise<ContentHash> {
  // Loaded only now: most runs find their layers in the store.
  const { createHash } = await import("node:crypto");
  const algorithm = expected.slice(0, expected.indexOf(":"));
  const hash = createHash(algorithm);
  return {
    update: (bytes) => void hash.update(bytes),
    finish: () => `${algorithm}:${hash.digest("hex")}` as ContentDigest,
  };
}

/** The SHA-256 of content that is here in one piece. */
export async function hashBytes(bytes: Uint8Array): Promise<ContentDigest> {
  const hash = await startHash(`sha256:`);
  hash.update(bytes);
  return hash.finish();
}

/** @throws PaddockError where content is not what its digest says. @param name what it is, for errors. */
export async function requireDigest(bytes: Uint8Array, expected: ContentDigest, name: string): Promise<void> {
  const hash = await startHash(expected);
  hash.update(bytes);
  const found = hash.finish();
  if (found === expected) return;
  throw new PaddockError(`${name} is not what its digest says: it is ${found}, not ${expected}`, {
    hint: "the image is damaged or was changed: copy or make it again",
  });
}
