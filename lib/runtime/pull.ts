/**
 * `paddock pull`, and the images that `run` and its like do not find here.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { formatSize } from "../base/sizes.ts";
import { type ContentDigest, shorten } from "../image/content_digest.ts";
import { nameImage } from "../image/image_index.ts";
import { ImageStore, type StoredImage } from "../image/image_store.ts";
import type { Platform } from "../image/manifest.ts";
import { thisPlatform } from "../image/platform.ts";
import { completeName, parseReference } from "../image/reference.ts";
import { RegistryAccess } from "../image/registry/access.ts";
import type { LayerReport } from "../image/registry/layer_downloads.ts";
import { lookUpRemote, pullImage, type PullOptions, type PullReport } from "../image/registry/pull_image.ts";
import type { RegistryOptions } from "../spec/registry_options.ts";
import type { BarLine, ProgressBars, Voice } from "./voice.ts";

/**
 * Pulls an image and gives it its name.
 *
 * @param word a name by docker's rules: `alpine`, `ghcr.io/x/y:tag`, `name@sha256:…`.
 * @throws PaddockError where it cannot be had; nothing half-made stays.
 */
export async function pullByName(
  word: string,
  dataRoot: string,
  options: RegistryOptions,
  voice: Voice,
): Promise<StoredImage> {
  using access = new RegistryAccess(options);
  const bars = voice.bars?.();
  const pull = await describePull(word, options, access, reportTo(voice, bars));
  using store = ImageStore.open(dataRoot);
  const image = await pullImage(store, pull).finally(() => bars?.done());
  image.warnings.forEach((warning) => voice.note(warning));
  await nameImage(dataRoot, image.image!, [pull.name]);
  return image;
}

/** The configuration of an image at its registry; nothing is kept. @throws PaddockError where it cannot be had. */
export async function readConfigByName(
  word: string,
  dataRoot: string,
  options: RegistryOptions,
  voice: Voice,
): Promise<string> {
  using access = new RegistryAccess(options);
  return (await lookUpRemote(await describePull(word, options, access, reportTo(voice, undefined)), dataRoot)).config;
}

async function describePull(
  word: string,
  options: RegistryOptions,
  access: RegistryAccess,
  report: PullReport,
): Promise<PullOptions> {
  const reference = parseReference(word);
  const name = completeName(word);
  if (reference === undefined || name === undefined) {
    throw new PaddockError(`${JSON.stringify(word)} is no name of an image`, {
      hint: "REGISTRY/PATH:TAG is wanted, in small letters; PATH alone is docker.io's",
    });
  }
  return {
    reference,
    name,
    sessions: await access.sessionsFor(reference),
    platform: options.platform === undefined ? thisPlatform(Deno.build.arch) : parsePlatform(options.platform),
    isPlatformAsked: options.platform !== undefined,
    report,
  };
}

/** `OS/ARCHITECTURE[/VARIANT]`, or an architecture of linux alone. */
function parsePlatform(text: string): Platform {
  const parts = text.split("/");
  const [os = "", architecture = "", variant] = parts.length === 1 ? ["linux", ...parts] : parts;
  return { ...thisPlatform(architecture), os, ...(variant === undefined ? {} : { variant }) };
}

/** Bars on a terminal; elsewhere lines, one for what each layer has come to. */
function reportTo(voice: Voice, bars: ProgressBars | undefined): PullReport {
  const layer = (digest: ContentDigest, size: number): LayerReport =>
    bars === undefined ? inLines(voice, digest, size) : inBar(bars.add(shorten(digest)), size);
  return { note: (line) => voice.note(line), layer };
}

function inLines(voice: Voice, digest: ContentDigest, size: number): LayerReport {
  const say = (what: string): void => voice.note(`${shorten(digest)}: ${what}`);
  return {
    there: () => say("is there"),
    downloading: () => {},
    downloaded: () => say(`downloaded, ${formatSize(size)}`),
    unpacking: () => {},
    unpacked: () => say("unpacked"),
  };
}

function inBar(line: BarLine, size: number): LayerReport {
  line.say("waits");
  return {
    there: () => line.say("is there"),
    downloading: (bytes) => line.update(bytes, size),
    downloaded: () => line.say(`downloaded, ${formatSize(size)}`),
    unpacking: (share) => line.say(`unpacking, ${Math.floor(100 * share)} %`),
    unpacked: () => line.say("unpacked"),
  };
}
