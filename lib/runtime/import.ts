/**
 * `paddock import`: a tarball into the store, ahead of its first run.
 *
 * @module
 */
import type { Roots } from "../state/root.ts";
import { importArchive } from "./open_archive.ts";
import type { Voice } from "./voice.ts";

/**
 * @returns the digest of the unpacked archive, `sha256:HEX`.
 * @throws PaddockError for an archive that cannot be read or stored.
 */
export async function importTarball(source: string, roots: Roots, voice: Voice): Promise<string> {
  return (await importArchive(source, roots.dataRoot, voice)).diffId;
}
