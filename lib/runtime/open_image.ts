/**
 * What the user calls an image: a directory as it is, a tarball, an image in an archive or a layout, one that was loaded,
 * or the host's own root.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts, MountFact } from "../host/facts.ts";
import { findImageConfig } from "../image/find_config.ts";
import { type ImagePlace, parseImageWord } from "../image/image_word.ts";
import { isLayout } from "../image/is_layout.ts";
import { completeName } from "../image/reference.ts";
import { isThere } from "../kernel/syscall.ts";
import { mountOf } from "../plan/binds.ts";
import type { OverlayRootfs, RootfsSource } from "../plan/setting.ts";
import type { ImageConfig } from "../spec/image_config.ts";
import type { RunOptions } from "../spec/run_options.ts";
import type { OpenedLayers, OpenMode } from "./open_archive.ts";
import type { Place } from "./place.ts";
import type { Voice } from "./voice.ts";

/** An image that can become a rootfs. */
export interface OpenedImage {
  readonly config: ImageConfig;
  /** What was guessed, for the user to know. */
  readonly notes: readonly string[];
  /** The directories that its files can be read in now, the topmost first; none for an archive that was not extracted. */
  readonly layers: readonly string[];
  /** True where the container has a directory of its own for what it writes. */
  readonly overlaid: boolean;
  /** Digest of its configuration, of an image in the store. */
  readonly id?: string;
  /** The rootfs of a container at that place. */
  rootfs(place: Pick<Place, "dataDir" | "inMemory">): RootfsSource;
}

/**
 * Opens an image.
 *
 * @throws PaddockError where there is none of that name, or it cannot be a rootfs here.
 */
export async function openImage(options: RunOptions, facts: Facts, mode: OpenMode, voice: Voice): Promise<OpenedImage> {
  const { image } = options;
  if (image === "host") return openHost(options, facts);
  const place = parseImageWord(image, isThere);
  if (place !== undefined) return await openPlace(place, options, facts, mode, voice);
  if (isDirectory(image)) {
    if (isLayout(image)) return await openPlace({ form: "layout", path: image }, options, facts, mode, voice);
    return openDirectoryImage(options, facts);
  }
  if (image !== "-" && !isThere(image) && mayBeName(image)) return await openName(options, facts, mode, voice);
  return await openPlace({ form: "archive", path: image }, options, facts, mode, voice);
}

/** A path begins with one of these, and a name never does. */
function mayBeName(word: string): boolean {
  return !/^[./~]/.test(word) && completeName(word) !== undefined;
}

function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

function openDirectoryImage(options: RunOptions, facts: Facts): OpenedImage {
  const path = Deno.realPathSync(options.image);
  const { config, notes } = findImageConfig({ ...configFile(options), layers: [path] });
  if (options.rwSave !== undefined) requireOverlay(facts);
  return {
    config,
    notes,
    layers: [path],
    overlaid: options.rwSave !== undefined,
    rootfs: (place) => options.rwSave === undefined ? { kind: "directory", path } : overlay([path], options, place),
  };
}

/**
 * The host's root with a throw-away layer over it. Filesystems of disks that are mounted below get a layer each; those
 * which the kernel makes up (/proc, /sys, /dev, /run) are not part of an image.
 */
function openHost(options: RunOptions, facts: Facts): OpenedImage {
  requireOverlay(facts);
  const { config, notes } = findImageConfig({ ...configFile(options), layers: ["/"] });
  const below = facts.mounts.filter((mount) => isDisk(mount) && isBelow(mount.target, options)).map(({ target }) =>
    target
  );
  return {
    config,
    notes,
    layers: ["/"],
    overlaid: true,
    rootfs: (place) => ({ ...overlay(["/"], options, place), below: [...new Set(below)] }),
  };
}

const DISKS = ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "vfat", "exfat", "squashfs", "erofs"];

function isDisk({ type }: MountFact): boolean {
  return DISKS.includes(type);
}

function isBelow(target: string, options: RunOptions): boolean {
  const hidden = ["/proc", "/sys", "/dev", "/run", "/tmp", options.root, options.dataRoot];
  return target !== "/" && !hidden.some((path) => target === path || target.startsWith(`${path}/`)) &&
    isDirectory(target);
}

async function openPlace(
  place: ImagePlace,
  options: RunOptions,
  facts: Facts,
  mode: OpenMode,
  voice: Voice,
): Promise<OpenedImage> {
  const way = await chooseLayering(options, facts);
  const { openLayers } = await import("./open_archive.ts");
  return overlaidImage(await openLayers(place, options.dataRoot, mode, voice), options, way);
}

/** An image that was loaded or pulled, or is pulled now. */
async function openName(options: RunOptions, facts: Facts, mode: OpenMode, voice: Voice): Promise<OpenedImage> {
  const way = await chooseLayering(options, facts);
  const { openByName } = await import("./open_name.ts");
  return overlaidImage(await openByName(options, mode, voice), options, way);
}

/** How the layers of an image become a rootfs: the kernel's overlay wherever that is possible. */
async function chooseLayering(options: RunOptions, facts: Facts): Promise<"overlay" | "fuse" | "copy"> {
  if (facts.has.overlay && isFitForOverlay(options.dataRoot, facts)) return "overlay";
  if (options.rwSave !== undefined) requireOverlay(facts);
  const { findLayering } = await import("./merged_rootfs.ts");
  return findLayering(options, facts);
}

/** Filesystems that an overlay is known to write into. Any other is tried. */
function isFitForOverlay(dataRoot: string, { mounts }: Facts): boolean {
  return ["ext4", "xfs", "btrfs", "tmpfs", "ext3", "f2fs", "zfs", "bcachefs"].includes(
    mountOf(dataRoot, mounts)?.type ?? "",
  );
}

function overlaidImage(
  { lower, layers, config: own, id }: OpenedLayers,
  options: RunOptions,
  way: "overlay" | "fuse" | "copy",
): OpenedImage {
  const { config, notes } = findImageConfig({
    ...configFile(options),
    ...(own === undefined ? {} : { own: { text: own, name: options.image } }),
    ...(options.image === "-" ? {} : { archive: options.image }),
    hasCommand: options.command.length > 0 || options.entrypoint !== undefined,
    layers,
  });
  return {
    config,
    notes,
    layers,
    overlaid: true,
    ...(id === undefined ? {} : { id }),
    rootfs: (place) =>
      way === "overlay"
        ? overlay(lower, options, place)
        : { kind: "directory", path: `${place.dataDir}/rootfs`, merged: { by: way, lower } },
  };
}

function overlay(
  lower: readonly string[],
  options: RunOptions,
  place: Pick<Place, "dataDir" | "inMemory">,
): OverlayRootfs {
  return {
    kind: "overlay",
    lower,
    directory: place.dataDir,
    ...(options.rwSave === undefined ? {} : { upper: options.rwSave }),
    ...(place.inMemory ? { inMemory: true } : {}),
  };
}

function requireOverlay(facts: Facts): void {
  if (facts.has.overlay) return;
  throw new PaddockError("this kernel has no overlay filesystem, which keeps an image as it is", {
    hint: "load it (modprobe overlay), or extract the archive yourself and run the directory",
  });
}

function configFile(options: RunOptions): { readonly configFile?: string } {
  return options.config === undefined ? {} : { configFile: options.config };
}
