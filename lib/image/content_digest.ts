/**
 * Digests of content as images name it: `sha256:HEX` (image-spec descriptor.md, "Digests"). Pure.
 *
 * A digest becomes part of a path. None does before its grammar was checked here.
 *
 * @module
 */
import { JsonPlace, readText } from "./json_place.ts";

/** Digits of each algorithm that is registered and in use. */
const DIGITS: Readonly<Record<string, number>> = { sha256: 64, sha512: 128 };

/** A digest that was checked: `ALGORITHM:HEX`. */
export type ContentDigest = `${"sha256" | "sha512"}:${string}`;

/** @throws PaddockError for another grammar, an unknown algorithm, a wrong number of digits. */
export function readDigest(value: unknown, at: JsonPlace): ContentDigest {
  const text = readText(value, at);
  const [, algorithm, hex] = /^([a-z0-9]+(?:[.+_-][a-z0-9]+)*):([a-zA-Z0-9=_-]+)$/.exec(text) ?? [];
  if (algorithm === undefined || hex === undefined) at.fail(`${JSON.stringify(text)} is no digest`);
  const digits = Object.hasOwn(DIGITS, algorithm!) ? DIGITS[algorithm!] : undefined;
  if (digits === undefined) at.fail(`digests of ${algorithm} are not known here, sha256 and sha512 are`);
  if (!new RegExp(`^[0-9a-f]{${digits}}$`).test(hex!)) {
    at.fail(`${JSON.stringify(text)} is no digest: ${algorithm} has ${digits} digits, 0 to 9 and a to f`);
  }
  return text as ContentDigest;
}

/** Is it a digest of an algorithm that is known here? */
export function isDigest(text: string): text is ContentDigest {
  return /^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(text);
}

/** Where an image layout keeps content: `blobs/ALGORITHM/HEX` (image-spec image-layout.md). */
export function blobPath(digest: ContentDigest): string {
  return `blobs/${digest.replace(":", "/")}`;
}

/** As much of a digest as a person wants to read. */
export function shorten(digest: string): string {
  return digest.replace(/^[a-z0-9]+:/, "").slice(0, 12);
}
