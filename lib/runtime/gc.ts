/**
 * Finds and removes what containers left that were killed, or that a power loss ended.
 *
 * A container is over when its lock can be taken, and only then. Everything is removed with that lock held, also what
 * has no state directory any more: its id is claimed first, so that no container of that name can begin meanwhile.
 *
 * @module
 */
import type { Facts } from "../host/facts.ts";
import { probeHost } from "../host/probe.ts";
import {
  adoptContainer,
  listContainers,
  listIds,
  type OwnedContainer,
  readRecord,
  seeContainer,
  takeContainer,
} from "../state/container.ts";
import { dataDirectoryOf, isThere, listDataIds, readKeptRecord, readOwner } from "../state/data_directory.ts";
import type { Roots } from "../state/root.ts";
import { eraseContainer, type Problem, removeCgroupsOf } from "./erase_container.ts";
import { removeDataDirectory } from "./remove_data_directory.ts";
import { findOrphanCgroups, hasLivingLauncher, removeOrphanCgroup } from "./orphan_cgroups.ts";

/** One thing that was left. */
export interface Leftover {
  readonly kind: "container" | "cgroup" | "data" | "import" | "layer" | "blob";
  /** An id, or an absolute path. */
  readonly what: string;
  /** How it is known that nobody needs it. */
  readonly why: string;
  /** What could not be removed of it; empty where all was, and where nothing was tried. */
  readonly problems: readonly Problem[];
}

/** What `gc` found. */
export interface GcReport {
  /** True where nothing was removed. */
  readonly dryRun: boolean;
  readonly leftovers: readonly Leftover[];
}

/** What `gc` is told. */
export interface GcOptions {
  /** Only look. */
  readonly dryRun?: boolean;
  /** Unpacked layers as well that no image with a name and no container needs. */
  readonly images?: boolean;
  /** The host, where it is known already. */
  readonly facts?: Facts;
}

/**
 * Looks everywhere that paddock puts things, and removes what belongs to no living and no kept container.
 *
 * Safe while containers start and end.
 *
 * @throws PaddockError where the state root or the data root cannot be read.
 */
export async function collectGarbage(
  roots: Roots,
  { dryRun = false, images = false, facts }: GcOptions = {},
): Promise<GcReport> {
  return {
    dryRun,
    leftovers: [
      ...await collectContainers(roots, dryRun),
      ...await collectData(roots, dryRun),
      ...await collectCgroups(roots, facts ?? probeHost(), dryRun),
      ...await collectImports(roots, dryRun),
      ...images ? await (await import("./prune_images.ts")).pruneImages(roots, { dryRun }) : [],
    ],
  };
}

/**
 * The same for the start of every `run`, as cheap as it can be: one directory is read, and a lock tried for each
 * container in it. A missing state root means that this is the first run after a boot, and so perhaps after a power
 * loss: what lies in the data root is looked through as well.
 */
export async function quickGc(roots: Roots): Promise<Leftover[]> {
  if (!isThere(roots.root)) return await collectData(roots, false);
  const found: Leftover[] = [];
  for (const id of listIds(roots.root)) {
    if (hasLivingLauncher(id)) continue;
    const owned = takeContainer(roots.root, id);
    if (typeof owned !== "object") continue;
    const record = readRecord(owned.directory) ?? readKeptRecord(roots.dataRoot, id);
    if (record?.keep) owned.lock.release();
    else found.push({ ...describeDead(id), problems: await eraseContainer(owned, roots, record) });
  }
  return found;
}

/** Something that is left, and how it is removed; `undefined` from `remove`: another paddock is about it. */
interface Found extends Omit<Leftover, "problems"> {
  readonly remove: () => Promise<readonly Problem[] | undefined>;
}

function describeDead(id: string): Omit<Leftover, "problems"> {
  return { kind: "container", what: id, why: "its launcher is gone" };
}

/** State directories without a living launcher. Of a kept one, only its cgroups go: it has no use for them. */
function collectContainers(roots: Roots, dryRun: boolean): Promise<Leftover[]> {
  const found: Found[] = [];
  for (const { id, status, record } of listContainers(roots)) {
    // Its engine watches over it, and deletes it.
    if (record?.bundle !== undefined) continue;
    // A compiled launcher makes its directory first and takes the lock after.
    if ((status !== "dead" && status !== "stopped") || hasLivingLauncher(id)) continue;
    if (!record?.keep) {
      const remove = () => withContainer(roots, id, (owned) => eraseContainer(owned, roots, record));
      found.push({ ...describeDead(id), remove });
    } else if (record.cgroupPaths.some(isThere)) {
      const remove = () => withContainer(roots, id, () => removeCgroupsOf(id, record));
      found.push({ kind: "container", what: id, why: "it is kept, and its cgroups are not", remove });
    }
  }
  return removeAll(found, dryRun);
}

/** Data directories whose state directory is gone, other than those of kept containers. */
function collectData(roots: Roots, dryRun: boolean): Promise<Leftover[]> {
  const found: Found[] = [];
  for (const id of listDataIds(roots.dataRoot)) {
    const directory = dataDirectoryOf(roots.dataRoot, id);
    const owner = readOwner(directory) ?? `${roots.root}/${id}`;
    if (isThere(owner) || readKeptRecord(roots.dataRoot, id) !== undefined || isYoung(directory)) continue;
    const remove = () => withClaim(roots, id, (owned) => removeDataDirectory(directory, owned.directory));
    found.push({ kind: "data", what: directory, why: "its container is gone", remove });
  }
  return removeAll(found, dryRun);
}

/** Cgroups below any `paddock` that no container has. */
function collectCgroups(roots: Roots, facts: Facts, dryRun: boolean): Promise<Leftover[]> {
  const orphans = findOrphanCgroups(facts, (id) => seeContainer(roots, id) !== undefined);
  const found = orphans.map((orphan): Found => ({
    kind: "cgroup",
    what: orphan.path,
    why: orphan.why,
    remove: () => withClaim(roots, orphan.id, () => removeOrphanCgroup(orphan)),
  }));
  return removeAll(found, dryRun);
}

/** What imports of images left that did not come to their end. */
async function collectImports({ dataRoot }: Roots, dryRun: boolean): Promise<Leftover[]> {
  // Opening the store would make it.
  if (!isThere(`${dataRoot}/layers/tmp`)) return [];
  const { LayerStore } = await import("../image/layer_store.ts");
  using store = LayerStore.open(dataRoot);
  const names = store.listLeftovers();
  const problems: Problem[] = [];
  try {
    if (!dryRun && names.length > 0) store.removeLeftovers();
    if (!dryRun) store.removeStaleLocks();
  } catch (error) {
    problems.push((error as Error).message);
  }
  const what = (name: string): string => `${dataRoot}/layers/tmp/${name}`;
  return names.map((name) => ({ kind: "import", what: what(name), why: "its paddock is gone", problems }));
}

/** Removes one after the other, unless only looking. */
async function removeAll(found: readonly Found[], dryRun: boolean): Promise<Leftover[]> {
  const leftovers: Leftover[] = [];
  for (const { remove, ...leftover } of found) {
    const problems = dryRun ? [] : await remove();
    if (problems !== undefined) leftovers.push({ ...leftover, problems });
  }
  return leftovers;
}

/** Does something with the lock of an id held; `undefined` where another has it. */
async function withContainer<T>(
  roots: Roots,
  id: string,
  body: (owned: OwnedContainer) => T | Promise<T>,
): Promise<T | undefined> {
  const owned = adoptContainer(roots, id);
  if (typeof owned !== "object") return undefined;
  using held = owned;
  return await body(held);
}

/** The same for what has no state directory: one is made, so that nobody takes the id, and removed again. */
function withClaim<T>(
  roots: Roots,
  id: string,
  body: (owned: OwnedContainer) => T | Promise<T>,
): Promise<T | undefined> {
  return withContainer(roots, id, async (owned) => {
    try {
      return await body(owned);
    } finally {
      owned.remove();
    }
  });
}

/**
 * True in the first seconds: a data directory gets its link to the state a moment after it is made, and until then
 * nothing says whose it is.
 */
function isYoung(directory: string): boolean {
  try {
    return Date.now() - (Deno.lstatSync(directory).mtime?.getTime() ?? 0) < 5000;
  } catch {
    return true;
  }
}
