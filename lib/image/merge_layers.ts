/**
 * Layers copied into one directory, as an overlay would show them: for hosts on which there are none.
 *
 * @module
 */
import { type ByteString, quoteName } from "../base/byte_string.ts";
import { Fd } from "../kernel/fd.ts";
import { listDirectory, O, openDirectory, S, statAt } from "../kernel/fs.ts";
import { openInRoot, tryOpenInRoot } from "../kernel/in_root.ts";
import { removeTreeAt } from "../kernel/remove_tree.ts";
import { exportTree } from "./export.ts";
import { DEFAULT_LIMITS } from "./extract_limits.ts";
import { isOpaque, WHITEOUT_PREFIX } from "./lower_tree.ts";
import { TarReader } from "./tar_reader.ts";
import { TreeExtractor } from "./tree_extractor.ts";

/**
 * Copies layers.
 *
 * @param layers absolute paths, the topmost first.
 * @param target absolute path of an empty directory.
 * @throws KernelError, PaddockError for what cannot be read or made; what was made stays.
 */
export function mergeLayers(layers: readonly string[], target: string): void {
  using root = openDirectory(target);
  for (const [index, path] of layers.toReversed().entries()) {
    using layer = openDirectory(path);
    if (index > 0) removeHidden(layer.number, root.number, "");
    copyTree(layer.number, root.number);
  }
}

/** Removes of what is there already whatever a layer hides, or puts something else in the place of. */
function removeHidden(layer: number, root: number, path: ByteString): void {
  const fd = tryOpenInRoot(root, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  if (fd < 0) return;
  using there = new Fd(fd);
  using directory = openInRoot(layer, path, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  if (isOpaque(directory.number)) {
    for (const { name } of listDirectory(there.number, quoteName(path))) removeTreeAt(there.number, name);
    return;
  }
  for (const { name } of listDirectory(directory.number, quoteName(path))) {
    const stat = statAt(directory.number, name);
    if (stat === undefined) continue;
    const isDirectory = (stat.mode & S.IFMT) === S.IFDIR;
    const hidden = name.startsWith(WHITEOUT_PREFIX) ? name.slice(WHITEOUT_PREFIX.length) : "";
    if (!["", ".", ".."].includes(hidden)) removeTreeAt(there.number, hidden);
    const old = statAt(there.number, name);
    if (old === undefined) continue;
    if (!isDirectory || (old.mode & S.IFMT) !== S.IFDIR) removeTreeAt(there.number, name);
    else removeHidden(layer, root, path === "" ? name : `${path}/${name}`);
  }
}

/** As archive and back, without the archive; whiteouts are none of the files. */
function copyTree(layer: number, root: number): void {
  using extractor = new TreeExtractor(root, DEFAULT_LIMITS);
  let isLeftOut = false;
  const reader = new TarReader({
    entry: (entry) => {
      // Marks for names that are hidden: a character device 0:0, or a file that says it by its own name.
      isLeftOut = entry.type === "character" && entry.devMajor === 0 && entry.devMinor === 0;
      isLeftOut ||= entry.path.slice(entry.path.lastIndexOf("/") + 1).startsWith(WHITEOUT_PREFIX);
      if (!isLeftOut) extractor.entry(entry);
    },
    data: (bytes, offset) => extractor.data(bytes, offset),
    end: () => {
      if (!isLeftOut) extractor.end();
    },
  });
  exportTree(layer, (bytes) => reader.push(bytes));
  reader.end();
  extractor.finish();
}
