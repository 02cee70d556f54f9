/**
 * `paddock push`: images of the store to a registry.
 *
 * @module
 */
import { PaddockError, UsageError } from "../base/errors.ts";
import { formatSize } from "../base/sizes.ts";
import { keepBlob } from "../image/blobs.ts";
import { type ContentDigest, shorten } from "../image/content_digest.ts";
import { listNamedImages, type NamedImage, noteOrigin } from "../image/image_index.ts";
import type { ImageDocumentBytes } from "../image/image_origin.ts";
import { ImageStore } from "../image/image_store.ts";
import { type KeptTree, readKeptTree } from "../image/kept_documents.ts";
import { isAttestation } from "../image/platform.ts";
import { parseManifest } from "../image/manifest.ts";
import { type PackOptions, PushableImage } from "../image/pushable_image.ts";
import { completeName, familiarName, parseReference, type Reference } from "../image/reference.ts";
import { RegistryAccess } from "../image/registry/access.ts";
import { type BlobReport, originOf, pushImage, pushIndex, type PushOptions } from "../image/registry/push_image.ts";
import type { RegistryOptions } from "../spec/registry_options.ts";
import type { Roots } from "../state/root.ts";
import { requireImage } from "./named_images.ts";
import type { ProgressBars, Voice } from "./voice.ts";

/** What `push` is told. */
export interface PushRequest extends PackOptions {
  /** A name or an id of an image; with `allTags` a name without a tag. */
  readonly image: string;
  /** The name that it is to have there; absent: its own. */
  readonly destination?: string;
  readonly allTags: boolean;
  /** Bytes of each request; absent: a layer in one. */
  readonly chunk?: number;
}

/** What was pushed. */
export interface Pushed {
  /** In full. */
  readonly name: string;
  readonly digest: ContentDigest;
  /** Bytes of its manifest. */
  readonly size: number;
}

/** @throws PaddockError where there is no such image, or the registry does not take it */
export async function pushNamed(
  request: PushRequest,
  { dataRoot }: Roots,
  options: RegistryOptions,
  voice: Voice,
): Promise<Pushed[]> {
  const images = chooseImages(request, dataRoot);
  using access = new RegistryAccess(options);
  using store = ImageStore.open(dataRoot);
  const pushed: Pushed[] = [];
  for (const { image, to } of images) {
    const bars = voice.bars?.();
    try {
      const { digest, bytes } = await pushOne(store, image, to, request, access, voice, bars);
      pushed.push({ name: to.name, digest, size: bytes.length });
    } finally {
      bars?.done();
    }
    voice.note(`${familiarName(to.name)}: digest ${pushed.at(-1)!.digest}, ${pushed.at(-1)!.size} bytes`);
  }
  return pushed;
}

interface Destination {
  readonly reference: Reference;
  /** In full. */
  readonly name: string;
}

interface Chosen {
  readonly image: NamedImage;
  readonly to: Destination;
}

function chooseImages({ image: word, destination, allTags }: PushRequest, dataRoot: string): Chosen[] {
  if (allTags) return chooseAllTags(word, dataRoot);
  const image = requireImage(word, dataRoot);
  const target = destination ?? image.asked;
  if (target === undefined) {
    throw new UsageError(`'${word}' says which image, and not where it is pushed to`, {
      hint: `say it: paddock push ${word} REGISTRY/PATH:TAG`,
    });
  }
  return [{ image, to: readDestination(target) }];
}

function chooseAllTags(word: string, dataRoot: string): Chosen[] {
  const wanted = parseReference(word);
  if (wanted === undefined || wanted.tag !== undefined || wanted.digest !== undefined) {
    throw new UsageError(`--all-tags needs a name without a tag, and not '${word}'`);
  }
  const found = listNamedImages(dataRoot).flatMap((image): Chosen[] => {
    const reference = image.name === undefined ? undefined : parseReference(image.name);
    const isOne = reference?.domain === wanted.domain && reference.path === wanted.path && reference.tag !== undefined;
    return isOne ? [{ image, to: { reference: reference!, name: image.name! } }] : [];
  });
  if (found.length > 0) return found;
  throw new PaddockError(`no image here is called '${word}'`, { hint: "paddock images lists those there are" });
}

function readDestination(word: string): Destination {
  const [, transport, rest = word] = /^([a-z-]+):(?:\/\/)?(?=\/|[a-z])(.*)$/.exec(word) ?? [];
  const isRegistry = transport === "docker" && word.startsWith("docker://");
  const text = isRegistry ? rest : word;
  const [reference, name] = [parseReference(text), completeName(text)];
  if (reference !== undefined && name !== undefined) return { reference, name };
  const isFile = transport !== undefined && ["oci", "oci-archive", "docker-archive", "dir"].includes(transport);
  throw new UsageError(`'${word}' is no name that an image can be pushed to`, {
    hint: isFile
      ? "paddock save writes archives and directories"
      : "REGISTRY/PATH:TAG is wanted, in small letters; PATH alone is docker.io's",
  });
}

async function pushOne(
  store: ImageStore,
  image: NamedImage,
  { reference, name }: Destination,
  request: PushRequest,
  access: RegistryAccess,
  voice: Voice,
  bars: ProgressBars | undefined,
): Promise<ImageDocumentBytes> {
  const { dataRoot } = store;
  const repository = `${reference.domain}/${reference.path}`;
  const options: PushOptions = {
    session: await access.sessionFor(reference),
    wanted: reference.tag ?? reference.digest ?? "latest",
    ...(reference.digest === undefined ? {} : { digest: reference.digest }),
    name: familiarName(name),
    sourcesOf: await findSources(dataRoot, reference),
    report: { note: (line) => voice.note(`${familiarName(name)}: ${line}`), blob: reportTo(voice, bars) },
    ...(request.chunk === undefined ? {} : { chunk: request.chunk }),
  };
  const tree = request.isForced ? undefined : await findIndex(dataRoot, image, voice);
  if (tree !== undefined) return await pushIndex(tree, dataRoot, options);
  const pushable = await PushableImage.open(store, image, request);
  return await store.layers.withDirectory(async (directory) => {
    const manifest = await pushImage(pushable, directory, options);
    // What was pulled stays noted as what it came; of what is our own it is noted what it is there.
    if (image.origin === undefined && image.name !== undefined) {
      keepBlob(dataRoot, manifest.digest, manifest.bytes);
      noteOrigin(dataRoot, image, originOf(manifest, repository));
    }
    return manifest;
  });
}

/** The index that an image came in, where all of it is kept. */
async function findIndex(dataRoot: string, { origin }: NamedImage, voice: Voice): Promise<KeptTree | undefined> {
  if (origin?.index === undefined) return undefined;
  const tree = await readKeptTree(dataRoot, { digest: origin.index });
  if (tree.isWhole) return tree;
  const others = tree.documents.at(-1)?.digest === origin.index ? countImages(tree.documents.at(-1)!) : 0;
  voice.note(
    `only the image for this platform is pushed: of the ${others} in the index it came in, the others are not here`,
  );
  return undefined;
}

function countImages({ bytes, digest, mediaType }: ImageDocumentBytes): number {
  const index = parseManifest(new TextDecoder().decode(bytes), digest, mediaType);
  return index.kind === "index" ? index.manifests.filter((entry) => !isAttestation(entry)).length : 1;
}

/** Which other repositories of the same registry images were pulled from, or pushed to, that have a blob. */
async function findSources(
  dataRoot: string,
  { domain, path }: Reference,
): Promise<(digest: ContentDigest) => readonly string[]> {
  const blobs = new Map<string, Set<string>>();
  for (const { origin } of listNamedImages(dataRoot)) {
    const from = origin?.repository;
    if (origin === undefined || from === undefined || !from.startsWith(`${domain}/`) || from === `${domain}/${path}`) {
      continue;
    }
    const tree = await readKeptTree(dataRoot, origin.manifest);
    const known = blobs.get(from) ?? new Set();
    blobs.set(from, known);
    tree.blobs.forEach(({ digest }) => known.add(digest));
  }
  return (digest) => [...blobs].filter(([, known]) => known.has(digest)).map(([from]) => from.slice(domain.length + 1));
}

/** Bars on a terminal; elsewhere lines, one for what each blob has come to. */
function reportTo(voice: Voice, bars: ProgressBars | undefined): (digest: ContentDigest, size: number) => BlobReport {
  return (digest, size) => {
    const line = bars?.add(shorten(digest));
    const say = (what: string): void => line === undefined ? voice.note(`${shorten(digest)}: ${what}`) : line.say(what);
    return {
      there: () => say("is there"),
      mounted: (from) => say(`taken over from ${from}`),
      pushing: (bytes) => line?.update(bytes, size),
      pushed: () => say(`pushed, ${formatSize(size)}`),
    };
  };
}
