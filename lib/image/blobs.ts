/**
 * The documents of images that the data root keeps, by their digest: `blobs/ALGORITHM/HEX`, as in an image layout.
 *
 * A blob is written under another name and renamed, so it is there whole or not at all; after a power loss its digest
 * tells whether it is.
 *
 * @module
 */
import { blobPath, type ContentDigest } from "./content_digest.ts";

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
