/**
 * The layers of an image as one directory, where the kernel's overlay is missing or refuses: fuse-overlayfs mounts them
 * where it is installed, else they are copied.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import { findFuseOverlay } from "../host/fuse_overlay.ts";
import { tryOverlay } from "../host/overlay_trial.ts";
import { mergeLayers } from "../image/merge_layers.ts";
import { isThere } from "../kernel/syscall.ts";
import type { MergedLayers } from "../plan/setting.ts";
import type { RunOptions } from "../spec/run_options.ts";

const PROGRAM = "fuse-overlayfs";

/** How it is done for a data root on an unusual filesystem, or without an overlay in the kernel. */
export function findLayering({ dataRoot, rwSave }: RunOptions, facts: Facts): "overlay" | "fuse" | "copy" {
  // Kept changes lie elsewhere; whoever asks for that hears of the kernel's refusal.
  if (rwSave !== undefined) return "overlay";
  if (facts.has.overlay) {
    Deno.mkdirSync(dataRoot, { recursive: true, mode: 0o700 });
    // Where it cannot be tried the kernel's own answer counts.
    if (tryOverlay(dataRoot)?.works ?? true) return "overlay";
  }
  return findFuseOverlay(isThere) === undefined ? "copy" : "fuse";
}

/**
 * Makes the directory `rootfs` in a container's own.
 *
 * @param again it was made before, and what the container wrote is there.
 * @throws PaddockError where there is no space, or fuse-overlayfs fails.
 */
export function makeMergedRootfs(dataDir: string, { by, lower }: MergedLayers, again: boolean): void {
  const rootfs = `${dataDir}/rootfs`;
  if (!again) {
    for (const name of ["rootfs", ...(by === "fuse" ? ["upper", "work"] : [])]) makeDirectory(`${dataDir}/${name}`);
  }
  if (by === "fuse") mountByFuse(dataDir, lower);
  else if (!again) mergeLayers(lower, rootfs);
}

function makeDirectory(path: string): void {
  Deno.mkdirSync(path);
  Deno.chmodSync(path, 0o755);
}

/** The mount is the host's, as fuse wants it; it is taken off with the container. */
function mountByFuse(dataDir: string, lower: readonly string[]): void {
  const program = findFuseOverlay(isThere);
  if (program === undefined) {
    throw new PaddockError(`${PROGRAM} is not there any more, which the container was made with`, {
      hint: `install ${PROGRAM}`,
    });
  }
  const escape = (path: string): string => path.replace(/[\\:,]/g, "\\$&");
  const words = [
    `lowerdir=${lower.map(escape).join(":")}`,
    `upperdir=${escape(`${dataDir}/upper`)}`,
    `workdir=${escape(`${dataDir}/work`)}`,
    "allow_other,suid,dev",
  ];
  const { success, stderr } = new Deno.Command(program, {
    args: ["-o", words.join(","), `${dataDir}/rootfs`],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).outputSync();
  if (success) return;
  throw new PaddockError(`${PROGRAM}: ${new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "failed"}`, {
    hint: "where it is not installed the layers are copied",
  });
}
