/**
 * Images by name: those that are here, and those that a registry has.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { ImageStore } from "../image/image_store.ts";
import type { PullPolicy, RegistryOptions } from "../spec/registry_options.ts";
import { isNowhere, openNamed } from "./named_images.ts";
import { describeImage, type OpenedLayers, type OpenMode, shownAs } from "./open_archive.ts";
import type { Voice } from "./voice.ts";

/** Which image is wanted, and when its registry is asked. */
export interface NamedRequest {
  readonly image: string;
  readonly dataRoot: string;
  readonly pull?: PullPolicy;
  readonly registry?: RegistryOptions;
}

/**
 * The layers of an image, pulled where it is not here, or where the user wants the newest. In the mode `look` nothing is
 * kept of what a registry says.
 *
 * @throws PaddockError where there is none of that name.
 */
export async function openByName(request: NamedRequest, mode: OpenMode, voice: Voice): Promise<OpenedLayers> {
  const { image, dataRoot, pull = "missing", registry = {} } = request;
  if (pull !== "always") {
    const there = await openNamed(image, dataRoot);
    if (there !== undefined && isFor(registry.platform, there)) return there;
    if (pull === "never") throw there === undefined ? isNowhere(image) : isForAnother(image, registry.platform!);
  }
  // What looks like a file was meant to be one.
  if (looksLikeFile(image)) throw isNowhere(image);
  // Loaded only now: an image that is here needs no registry.
  const { pullByName, readConfigByName } = await import("./pull.ts");
  if (mode === "look") return await shownAs(await readConfigByName(image, dataRoot, registry, voice), dataRoot);
  const pulled = await pullByName(image, dataRoot, registry, voice);
  using store = ImageStore.open(dataRoot);
  return { ...describeImage(pulled), lower: store.shorten(pulled.lower) };
}

/** Names of files that hold images; a repository could be called so, and none is. */
export function looksLikeFile(word: string): boolean {
  return /\.(tar|tgz|tzst|txz|tbz2?|gz|zst|xz|bz2|img|iso|sqfs|squashfs)$/i.test(word);
}

/** Is an image for the platform that is asked for? Variants are not in every configuration. */
function isFor(platform: string | undefined, { config }: OpenedLayers): boolean {
  if (platform === undefined || config === undefined) return true;
  const [os, architecture] = platform.includes("/") ? platform.split("/") : ["linux", platform];
  const own = JSON.parse(config) as Record<string, unknown>;
  return (own.os ?? "linux") === os && own.architecture === architecture;
}

function isForAnother(word: string, platform: string): PaddockError {
  return new PaddockError(`"${word}" is here for another platform than ${platform}`, {
    hint: "pull it: --pull missing",
  });
}
