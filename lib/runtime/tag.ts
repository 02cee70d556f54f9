/**
 * `paddock tag`: one more name for an image.
 *
 * @module
 */
import { nameImage } from "../image/image_index.ts";
import { ImageStore } from "../image/image_store.ts";
import type { Roots } from "../state/root.ts";
import { requireName } from "./commit.ts";
import { requireImage } from "./named_images.ts";

/**
 * Gives an image one more name; an image that had it loses it.
 *
 * @throws PaddockError where there is no such image, or the name can be none.
 */
export async function tagImage(word: string, name: string, { dataRoot }: Roots): Promise<void> {
  const full = requireName(name);
  // Nobody removes images meanwhile.
  using _store = ImageStore.open(dataRoot);
  const { id, config, origin } = requireImage(word, dataRoot);
  await nameImage(dataRoot, { id, config, names: [], ...(origin === undefined ? {} : { origin }) }, [full]);
}
