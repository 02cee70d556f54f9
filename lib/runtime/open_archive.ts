/**
 * Archives: from the store, or into it first.
 *
 * @module
 */
import type { RunOptions } from "../spec/run_options.ts";
import { openArchive } from "../image/source.ts";
import { LayerStore, type StoredLayer } from "../image/store.ts";
import type { Voice } from "./voice.ts";

/** How far an archive is opened: `import` extracts it into the store, `look` only if it is there already. */
export type OpenMode = "import" | "look";

/** A layer that an archive became. */
export interface ArchiveLayer {
  /** Lower directories of an overlay, the topmost first. */
  readonly lower: readonly string[];
  /** Where its files can be read now; absent where it was not extracted. */
  readonly files?: string;
}

/**
 * The layer of an archive; in the mode `look` an archive that is not in the store stays where it is, and the layer is
 * named as it would be.
 *
 * @throws PaddockError for an archive that cannot be read or stored.
 */
export async function openArchiveLayer(options: RunOptions, mode: OpenMode, voice: Voice): Promise<ArchiveLayer> {
  if (mode === "look") return await lookForLayer(options);
  const layer = await importArchive(options.image, options.dataRoot, voice);
  return layerOf(layer);
}

/**
 * Imports an archive into the store, if it is not there.
 *
 * @param source path of the archive, `-` for standard input.
 * @throws PaddockError for an archive that cannot be read or stored.
 */
export async function importArchive(source: string, dataRoot: string, voice: Voice): Promise<StoredLayer> {
  using store = LayerStore.open(dataRoot);
  const bar = voice.progress(source === "-" ? "importing" : `importing ${source.slice(source.lastIndexOf("/") + 1)}`);
  try {
    const layer = await store.lookupOrImport(source, { onProgress: (done, total) => bar.update(done, total) });
    layer.warnings.forEach((warning) => voice.note(warning));
    return layer;
  } finally {
    bar.done();
  }
}

/** What is in the store already is shown as it is there; else the layer is named as it would be. */
async function lookForLayer(options: RunOptions): Promise<ArchiveLayer> {
  const layer = options.image === "-" ? undefined : await LayerStore.peek(options.dataRoot, options.image);
  if (layer !== undefined) return layerOf(layer);
  if (options.image !== "-") openArchive(options.image)[Symbol.dispose]();
  return { lower: [`${options.dataRoot}/layers/sha256/DIGEST/rootfs`] };
}

function layerOf({ init, rootfs }: StoredLayer): ArchiveLayer {
  return { lower: [...(init === undefined ? [] : [init]), rootfs], files: rootfs };
}
