/**
 * What the user calls an image: a directory as it is, a tarball, or the host's own root.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts, MountFact } from "../host/facts.ts";
import { findImageConfig } from "../image/find_config.ts";
import { isThere } from "../kernel/syscall.ts";
import type { OverlayRootfs, RootfsSource } from "../plan/setting.ts";
import type { ImageConfig } from "../spec/image_config.ts";
import type { RunOptions } from "../spec/run_options.ts";
import type { OpenMode } from "./open_archive.ts";
import type { Place } from "./place.ts";
import type { Voice } from "./voice.ts";

/** An image that can become a rootfs. */
export interface OpenedImage {
  readonly config: ImageConfig;
  /** What was guessed, for the user to know. */
  readonly notes: readonly string[];
  /** Where its files can be read now; absent for an archive that was not extracted. */
  readonly files?: string;
  /** The directories that its files are in, the topmost first; none for an archive that was not extracted. */
  readonly layers: readonly string[];
  /** True where the container has a directory of its own for what it writes. */
  readonly overlaid: boolean;
  /** The rootfs of a container at that place. */
  rootfs(place: Pick<Place, "dataDir" | "inMemory">): RootfsSource;
}

/**
 * Opens an image.
 *
 * @throws PaddockError where there is none of that name, or it cannot be a rootfs here.
 */
export async function openImage(options: RunOptions, facts: Facts, mode: OpenMode, voice: Voice): Promise<OpenedImage> {
  if (options.image === "host") return openHost(options, facts);
  if (isDirectory(options.image)) return openDirectoryImage(options, facts);
  return await openArchiveImage(options, facts, mode, voice);
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
  refuseLayout(path);
  const { config, notes } = findImageConfig({ ...configFile(options), rootfs: path });
  if (options.rwSave !== undefined) requireOverlay(facts);
  return {
    config,
    notes,
    files: path,
    layers: [path],
    overlaid: options.rwSave !== undefined,
    rootfs: (place) => options.rwSave === undefined ? { kind: "directory", path } : overlay([path], options, place),
  };
}

/** An image layout is a directory too, but of blobs. */
function refuseLayout(path: string): void {
  const kind = isThere(`${path}/oci-layout`) && isThere(`${path}/index.json`)
    ? "an OCI image layout"
    : isThere(`${path}/manifest.json`) && isThere(`${path}/repositories`)
    ? "an unpacked `docker save` archive"
    : undefined;
  if (kind === undefined || isThere(`${path}/bin`) || isThere(`${path}/usr`)) return;
  throw new PaddockError(`${path} is ${kind}, not a root filesystem`, {
    hint: "make a root filesystem of it: umoci unpack, or docker load, docker create and docker export",
  });
}

/**
 * The host's root with a throw-away layer over it. Filesystems of disks that are mounted below get a layer each; those
 * which the kernel makes up (/proc, /sys, /dev, /run) are not part of an image.
 */
function openHost(options: RunOptions, facts: Facts): OpenedImage {
  requireOverlay(facts);
  const { config, notes } = findImageConfig({ ...configFile(options), rootfs: "/" });
  const below = facts.mounts.filter((mount) => isDisk(mount) && isBelow(mount.target, options)).map(({ target }) =>
    target
  );
  return {
    config,
    notes,
    files: "/",
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
    Deno.statSync(target).isDirectory;
}

async function openArchiveImage(options: RunOptions, facts: Facts, mode: OpenMode, voice: Voice): Promise<OpenedImage> {
  requireOverlay(facts);
  const { openArchiveLayer } = await import("./open_archive.ts");
  const layer = await openArchiveLayer(options, mode, voice);
  const { config, notes } = findImageConfig({
    ...configFile(options),
    ...(options.image === "-" ? {} : { archive: options.image }),
    hasCommand: options.command.length > 0 || options.entrypoint !== undefined,
    ...(layer.files === undefined ? {} : { rootfs: layer.files }),
  });
  return {
    config,
    notes,
    ...(layer.files === undefined ? {} : { files: layer.files }),
    layers: layer.files === undefined ? [] : layer.lower,
    overlaid: true,
    rootfs: (place) => overlay(layer.lower, options, place),
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
