/**
 * Removes unpacked layers that no image with a name and no container needs. Only when asked: a tarball that was run is
 * unpacked so that it need not be the next time.
 *
 * A container may begin while this looks. So a layer is first taken out of sight, then the containers are looked at
 * (a launcher writes its record before it mounts), and a layer that one of them needs is put back.
 *
 * @module
 */
import type { ContentDigest } from "../image/content_digest.ts";
import { listNamedImages } from "../image/image_index.ts";
import { ImageStore } from "../image/image_store.ts";
import { chainOfPath } from "../image/layer_names.ts";
import { isThere } from "../kernel/syscall.ts";
import { listContainers } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import type { Leftover } from "./gc.ts";

/** What may go. */
export interface Pruning {
  /** Only look. */
  readonly dryRun?: boolean;
  /** Ids of images: only their layers go. Absent: all layers. */
  readonly of?: readonly ContentDigest[];
}

/** @throws PaddockError where the store or the state of containers cannot be read. */
export async function pruneImages(roots: Roots, { dryRun = false, of }: Pruning = {}): Promise<Leftover[]> {
  if (!isThere(`${roots.dataRoot}/layers/sha256`)) return [];
  using store = ImageStore.openAlone(roots.dataRoot);
  const named = listNamedImages(roots.dataRoot).map(({ id }) => id);
  const needed = new Set((await Promise.all(named.map((id) => store.listChain(id)))).flat());
  const candidates = of === undefined
    ? store.layers.list()
    : [...new Set((await Promise.all(of.map((id) => store.listChain(id)))).flat())];
  const isUsed = (chainId: string): boolean => listUsed(roots).has(chainId);
  const why = "no image with a name and no container needs it";
  // The topmost first: what lies below is needed by what lies above.
  return candidates.reverse().filter((chainId) => !needed.has(chainId)).flatMap((chainId): Leftover[] => {
    const isGone = dryRun ? !isUsed(chainId) : store.layers.removeUnless(chainId, isUsed);
    return isGone ? [{ kind: "layer", what: chainId, why, problems: [] }] : [];
  });
}

/** Layers that containers are made of, running ones and kept ones. */
function listUsed(roots: Roots): Set<string> {
  const layers = listContainers(roots).flatMap(({ record }) => record?.layers ?? []);
  return new Set(layers.flatMap((path) => chainOfPath(roots.dataRoot, path) ?? []));
}
