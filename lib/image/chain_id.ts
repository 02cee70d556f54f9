/**
 * The name of a layer together with all below it (image-spec config.md, "Layer ChainID").
 *
 * @module
 */
import { hashBytes } from "./content_hash.ts";

/** @param parent the chain below; undefined for the lowest layer. */
export async function chainIdOf(parent: string | undefined, diffId: string): Promise<string> {
  return parent === undefined ? diffId : await hashBytes(new TextEncoder().encode(`${parent} ${diffId}`));
}
