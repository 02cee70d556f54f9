/**
 * `paddock start` and `paddock restart` of containers from images: once more, with what they wrote.
 *
 * It is planned anew, for the host may be another since: after a boot, with another kernel. Only what the user asked
 * for and the image's layers are those of the first time.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { probeHost } from "../host/probe.ts";
import { encodeText } from "../base/byte_string.ts";
import { openDirectory } from "../kernel/fs.ts";
import { removeTreeAt } from "../kernel/remove_tree.ts";
import { selfCommand } from "../kernel/self.ts";
import { adoptContainer, openContainer, type OwnedContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import { checkTransition } from "../state/status.ts";
import { removeCgroupsOf } from "./erase_container.ts";
import { readOrigin } from "./origin.ts";
import { requireRoot } from "./require_root.ts";
import { launchContainer } from "./run.ts";
import type { Voice } from "./voice.ts";

/**
 * Starts a kept container that has ended, in the background. Returns only when that failed, or it runs already.
 *
 * @throws PaddockError saying why; it is kept as it was.
 */
export async function startAgain(idOrName: string, roots: Roots, voice: Voice): Promise<void> {
  const facts = probeHost();
  requireRoot(facts);
  const seen = openContainer(roots, idOrName);
  if (seen.status === "running" || seen.status === "restarting") return;
  checkTransition(seen.id, seen.status, "start");
  const { options, imageConfig, imageId, layers, rootfs } = readOrigin(seen.id, seen.record?.dataDir);
  const former = seen.record!;
  const owned = adopt(roots, seen.id);
  try {
    await removeCgroupsOf(seen.id, former);
    if (rootfs.kind === "overlay") removeWork(rootfs.directory);
    const image = {
      config: imageConfig,
      notes: [],
      layers,
      overlaid: rootfs.kind === "overlay" || rootfs.merged !== undefined,
      ...(imageId === undefined ? {} : { id: imageId }),
      rootfs: () => rootfs.kind === "overlay" ? { ...rootfs, again: true as const } : rootfs,
    };
    // Its name is its id, though it may have been made up then.
    const again = { ...options, ...roots, name: former.name ?? seen.id, detach: true, rm: false };
    await launchContainer({ options: again, facts, image, owned, voice, former });
  } catch (error) {
    owned.writeRecord(former);
    owned.lock.release();
    throw error;
  }
}

/**
 * The overlay's work directory is made anew: the kernel refuses one that was in use when the host went down
 * (Documentation/filesystems/overlayfs.rst, Volatile mount).
 */
function removeWork(directory: string): void {
  using parent = openDirectory(directory);
  for (const { name } of Deno.readDirSync(directory)) {
    if (/^work\d*$/.test(name)) removeTreeAt(parent.number, encodeText(name));
  }
}

function adopt(roots: Roots, id: string): OwnedContainer {
  const owned = adoptContainer(roots, id);
  if (typeof owned === "object") return owned;
  throw new PaddockError(`container '${id}' was started or removed by another paddock just now`, {
    hint: "look again",
  });
}

/**
 * Starts several, each by a paddock of its own, which becomes the launcher and prints the name unless it is to be
 * `quiet`.
 *
 * @returns the exit code: of the last that failed, or 0.
 */
export async function startEach(names: readonly string[], { root, dataRoot }: Roots, quiet = false): Promise<number> {
  let exitCode = 0;
  for (const name of names) {
    const [file, ...own] = selfCommand();
    const args = [...own, "start", "--root", root, "--data-root", dataRoot, name];
    const streams = { stdin: "null", stdout: quiet ? "null" : "inherit", stderr: "inherit" } as const;
    const { code } = await new Deno.Command(file!, { args, ...streams }).output();
    if (code !== 0) exitCode = code;
  }
  return exitCode;
}
