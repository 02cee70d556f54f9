/**
 * `paddock diff`: what a container has changed of its image.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { type Change, listChanges } from "../image/layer_changes.ts";
import { LowerTree } from "../image/lower_tree.ts";
import { openDirectory } from "../kernel/fs.ts";
import { openMerged } from "../kernel/merged.ts";
import { openContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";

/** The changes, sorted by path. @throws PaddockError for a container that has no image to compare with */
export function diffContainer(word: string, roots: Roots): Change[] {
  const { id, record } = openContainer(roots, word);
  const [upper, ...below] = record?.layers ?? [];
  if (upper === undefined || below.length === 0) {
    throw new PaddockError(`container '${id}' writes into its own directory: nobody knows what was in there before`, {
      hint: "run it with --rw-save DIR, which takes the changes",
    });
  }
  using lower = new LowerTree(below);
  using root = openDirectory(upper);
  return listChanges(root.number, lower, () => openMerged(below), record?.layering === "fuse");
}
