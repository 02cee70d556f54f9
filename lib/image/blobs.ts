/**
 * The documents of images that the data root keeps, by their digest: `blobs/ALGORITHM/HEX`, as in an image layout.
 *
 * A blob is written under another name and renamed, so it is there whole or not at all; after a power loss its digest
 * tells whether it is.
 *
 * @module
 */
import { blobPath, type ContentDigest, isDigest } from "./content_digest.ts";

/** Keeps content. What is there already is written again: it may be cut short by a power loss. */
export function keepBlob(dataRoot: string, digest: ContentDigest, bytes: Uint8Array): void {
  const path = `${dataRoot}/${blobPath(digest)}`;
  Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
  writeWhole(path, bytes);
}

/** The text of a blob; undefined where there is none. */
export function readBlob(dataRoot: string, digest: ContentDigest): string | undefined {
  try {
    return Deno.readTextFileSync(`${dataRoot}/${blobPath(digest)}`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Digests of all blobs that are kept. */
export function listBlobs(dataRoot: string): ContentDigest[] {
  return ["sha256", "sha512"].flatMap((algorithm) =>
    listNames(`${dataRoot}/blobs/${algorithm}`).map((hex) => `${algorithm}:${hex}`).filter(isDigest)
  ).sort();
}

/** Is a blob JSON, and no packed layer? True where there is none. */
export function isDocument(dataRoot: string, digest: ContentDigest): boolean {
  try {
    using file = Deno.openSync(`${dataRoot}/${blobPath(digest)}`);
    const first = new Uint8Array(1);
    return file.readSync(first) !== 1 || first[0] === "{".charCodeAt(0);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return true;
    throw error;
  }
}

/** Removes a blob. @returns false where there is none */
export function removeBlob(dataRoot: string, digest: ContentDigest): boolean {
  try {
    Deno.removeSync(`${dataRoot}/${blobPath(digest)}`);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

function listNames(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

/** Writes a file so that it is there whole or as it was before, whatever happens. */
export function writeWhole(path: string, bytes: Uint8Array, mode = 0o600): void {
  const draft = `${path}.new-${Deno.pid}`;
  try {
    {
      using file = Deno.openSync(draft, { write: true, create: true, truncate: true, mode });
      for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      file.syncDataSync();
    }
    Deno.renameSync(draft, path);
  } catch (error) {
    try {
      Deno.removeSync(draft);
    } catch {
      // It was not made.
    }
    throw error;
  }
}
