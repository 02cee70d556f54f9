/**
 * Volumes without a name: those that an image declares, and `-v PATH`. Each is a directory of the container's own, with
 * what the image has there; it is kept with the container and removed with it.
 *
 * Not where the user keeps what is written somewhere else (`--rw-save`): then it lands there with everything else.
 *
 * @module
 */
import { encodeText } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
import { exportTree } from "../image/export.ts";
import { DEFAULT_LIMITS } from "../image/extract_limits.ts";
import { TarReader } from "../image/tar_reader.ts";
import { TreeExtractor } from "../image/tree_extractor.ts";
import { Fd } from "../kernel/fd.ts";
import { E, O, openDirectory } from "../kernel/fs.ts";
import { tryOpenInRoot } from "../kernel/in_root.ts";
import { openMerged } from "../kernel/merged.ts";
import { KernelError } from "../kernel/syscall.ts";
import type { BindOption, RunOptions } from "../spec/run_options.ts";
import type { IdRange } from "../state/record.ts";
import type { OpenedImage } from "./open_image.ts";

/** A volume: where it is in the container, and its directory. */
export interface Volume {
  readonly target: string;
  readonly directory: string;
}

/** Does a container of this image have volumes? */
export function hasVolumes(options: RunOptions, image: OpenedImage): boolean {
  return listTargets(options, image).length > 0;
}

/** The volumes of a container. @param dataDir the container's own directory. */
export function listVolumes(options: RunOptions, image: OpenedImage, dataDir: string): Volume[] {
  return listTargets(options, image).map((target, index) => ({ target, directory: `${dataDir}/volumes/${index}` }));
}

/** The options with a mount for each volume. */
export function mountVolumes(options: RunOptions, volumes: readonly Volume[]): RunOptions {
  const byTarget = new Map(volumes.map((volume) => [volume.target, volume]));
  const given = options.mounts.map((mount) => {
    const volume = isAnonymous(mount) ? byTarget.get(mount.target) : undefined;
    return volume === undefined ? mount : { ...mount, source: volume.directory } as BindOption;
  });
  const mounted = new Set(given.map(({ target }) => target));
  const own = volumes.filter(({ target }) => !mounted.has(target)).map(({ target, directory }): BindOption => ({
    kind: "bind",
    source: directory,
    target,
    options: ["rbind", "rprivate"],
    relabel: false,
    anonymous: true,
  }));
  return { ...options, mounts: [...given, ...own] };
}

function isAnonymous(mount: RunOptions["mounts"][number]): boolean {
  return mount.kind === "bind" && mount.anonymous === true;
}

function listTargets(options: RunOptions, image: OpenedImage): string[] {
  const asked = options.mounts.filter(isAnonymous).map(({ target }) => target);
  const declared = image.overlaid && options.rwSave === undefined ? image.config.volumes ?? [] : [];
  const mounted = new Set(options.mounts.map(({ target }) => target));
  const own = declared.map(clean).filter((path) => !isKernels(path) && !mounted.has(path));
  return [...new Set([...asked, ...own])].sort();
}

function clean(path: string): string {
  return `/${path.split("/").filter((part) => part !== "" && part !== ".").join("/")}`;
}

/** Images with an init system declare /sys/fs/cgroup, which every container has. */
function isKernels(path: string): boolean {
  return /^\/(sys|dev|proc)(\/|$)/.test(path);
}

/**
 * Makes the directories of volumes, and copies into each what the image has in its place.
 *
 * @param layers where the image's files can be read, the topmost first.
 * @param ids where the container has ids of its own.
 * @throws PaddockError where something of the image cannot be a volume, or there is no space.
 */
export function fillVolumes(
  volumes: readonly Volume[],
  layers: readonly string[],
  ids: { readonly uid: IdRange; readonly gid: IdRange } | undefined,
): void {
  if (volumes.length === 0) return;
  Deno.mkdirSync(volumes[0]!.directory.replace(/\/[^/]*$/, ""), { mode: 0o711 });
  using root = openMerged(layers);
  for (const { target, directory } of volumes) {
    Deno.mkdirSync(directory, { mode: 0o755 });
    Deno.chmodSync(directory, 0o755);
    const fd = tryOpenInRoot(root.number, encodeText(target), O.RDONLY | O.DIRECTORY);
    if (fd === -E.NOENT) {
      Deno.chownSync(directory, shift(0, ids?.uid), shift(0, ids?.gid));
      continue;
    }
    if (fd === -E.NOTDIR) throw new PaddockError(`the image has a file at ${target}, and says that a volume is there`);
    if (fd < 0) throw new KernelError("openat2", `"${target}" of the image`, -fd);
    using source = new Fd(fd);
    copyTree(source.number, directory, ids);
  }
}

/** Copies a tree with owners, modes, times, attributes and links, as archive and back, without the archive. */
function copyTree(source: number, directory: string, ids: Parameters<typeof fillVolumes>[2]): void {
  using target = openDirectory(directory);
  using extractor = new TreeExtractor(target.number, DEFAULT_LIMITS);
  const reader = new TarReader({
    entry: (entry) => extractor.entry({ ...entry, uid: shift(entry.uid, ids?.uid), gid: shift(entry.gid, ids?.gid) }),
    data: (bytes, offset) => extractor.data(bytes, offset),
    end: () => extractor.end(),
  });
  exportTree(source, (bytes) => reader.push(bytes));
  reader.end();
  extractor.finish();
}

/** An id of the container as it is on disk. */
function shift(id: number, range: IdRange | undefined): number {
  if (range === undefined || id < range.containerID || id >= range.containerID + range.size) return id;
  return id - range.containerID + range.hostID;
}
