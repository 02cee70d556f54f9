/**
 * Tells an archive of images from one of a root filesystem by its beginning: its first file says it, and most archives
 * need not be read twice.
 *
 * @module
 */
import { isImagePath } from "./magic.ts";
import type { ArchiveSource } from "./source.ts";
import { TarReader } from "./tar_reader.ts";

/** True where the first file of an archive is one of an image's: then its whole listing decides. */
export async function beginsAsImage(archive: ArchiveSource): Promise<boolean> {
  let found: boolean | undefined;
  const reader = new TarReader({
    entry: ({ path, type }) => {
      if (type !== "directory") found ??= isImagePath(path);
    },
    data: () => {},
    end: () => {},
  });
  const beginning = await archive.begin();
  try {
    reader.push(beginning);
  } catch {
    // What is wrong with it is told by who reads the whole of it.
  }
  return found ?? false;
}
