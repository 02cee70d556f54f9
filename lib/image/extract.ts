/**
 * From an archive to a directory of files: reads, unpacks, hashes and makes, in one pass and in bounded memory.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { type Digest, startDigest } from "./digest.ts";
import { checkLimit, DEFAULT_LIMITS, type ExtractLimits } from "./extract_limits.ts";
import { type ImageArchive, ImageArchiveDetector, imageArchiveError } from "./magic.ts";
import type { LowerTree } from "./lower_tree.ts";
import type { ArchiveSource } from "./source.ts";
import { TarReader } from "./tar_reader.ts";
import { TarSplitWriter } from "./tar_split.ts";
import { type ExtractCounts, splitPath, TreeExtractor } from "./tree_extractor.ts";

/** How far an import is; called after each chunk of up to 1 MiB. */
export type OnProgress = (bytesRead: number, total: number | undefined) => void;

/** What an extraction may be given. */
export interface ExtractOptions {
  readonly limits?: ExtractLimits;
  readonly onProgress?: OnProgress;
}

/** Where an extraction keeps what it takes to write the archive again (`tar_split.ts`). */
export interface Keeping {
  /** Takes what the archive has beside the contents of files; valid during the call. */
  readonly write: (bytes: Uint8Array) => void;
  /** Descriptor of an empty directory on the same filesystem, for files that the archive has in several versions. */
  readonly displaced: number;
}

/** What an extraction tells. */
export interface ExtractResult extends Readonly<ExtractCounts> {
  /** `sha256:HEX` of the unpacked archive, as OCI image configs have it in `rootfs.diff_ids`. */
  readonly diffId: string;
  /** Bytes of the unpacked archive. */
  readonly unpackedBytes: number;
  /** Can the archive be written again from what was kept? */
  readonly isKept: boolean;
  /** What could not be kept and does no harm, for the user to read. */
  readonly warnings: readonly string[];
}

/**
 * Extracts an archive into an empty directory.
 *
 * @param root descriptor of the directory; stays the caller's. On failure it holds what was made so far.
 * @param lower for a layer of an image: those below it. Absent for a whole root filesystem.
 * @param keeping absent where nobody wants the archive back.
 * @throws PaddockError for a damaged, hostile or wrong archive and for what the filesystem refuses.
 */
export async function extractArchive(
  source: ArchiveSource,
  root: number,
  options: ExtractOptions = {},
  lower?: LowerTree,
  keeping?: Keeping,
): Promise<ExtractResult> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  const split = keeping === undefined ? undefined : await startSplit(keeping);
  using extractor = new TreeExtractor(
    root,
    limits,
    lower,
    split === undefined ? undefined : {
      directory: keeping!.displaced,
      moved: (path, index) => split.displaced(path, index),
      lost: () => split.abandon(),
    },
  );
  let path = "";
  const detector = new ImageArchiveDetector();
  using digests = new DisposableStack();
  let digest: Digest | undefined;
  let unpackedBytes = 0;
  const reader = new TarReader({
    entry: (entry) => {
      detector.observe(entry);
      extractor.entry(entry);
      if (entry.size > 0) path = splitPath(entry.path.replace(/^\/+/, ""), entry.path, limits).join("/");
    },
    data: (bytes, offset) => {
      if (!extractor.isIgnoring) split?.content(path, bytes, offset);
      extractor.data(bytes, offset);
    },
    end: () => extractor.end(),
  });
  try {
    for await (const chunk of source.chunks()) {
      digest ??= digests.use(await startDigest(source));
      digest.update(chunk);
      unpackedBytes += chunk.length;
      if (unpackedBytes > limits.ratioFrom) {
        checkLimit("times its packed size", Math.ceil(unpackedBytes / source.bytesRead), limits.ratio);
      }
      split?.begin(chunk);
      reader.push(chunk);
      split?.end();
      options.onProgress?.(source.bytesRead, source.size);
    }
    reader.end();
  } catch (error) {
    throw nameArchive(error, source.name);
  }
  requireWhole(source, reader);
  if (lower === undefined) requireRootfs(source, detector.conclude(), extractor.counts);
  source.verify();
  extractor.finish();
  split?.finish();
  const diffId = `sha256:${await digest!.finish()}`;
  const isKept = split?.isUsable ?? false;
  return { diffId, unpackedBytes, isKept, warnings: extractor.warnings, ...extractor.counts };
}

async function startSplit({ write }: Keeping): Promise<TarSplitWriter> {
  // Loaded only now: most runs find their layer in the store.
  const { deflateRawSync } = await import("node:zlib");
  return new TarSplitWriter((bytes) => deflateRawSync(bytes, { level: 1 }), write);
}

/** The stages below know the archive as "archive"; the user knows it by its name. */
function nameArchive(error: unknown, name: string): unknown {
  if (!(error instanceof PaddockError) || !error.message.startsWith("archive: ")) return error;
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  return new PaddockError(`"${name}": ${error.message.slice(9)}`, { cause: error, ...hint });
}

/** Nothing tells a zstd file cut between two blocks from a whole one, but that its archive has no end. */
function requireWhole(source: ArchiveSource, reader: TarReader): void {
  if (source.format !== "zstd" || reader.hasEndMark) return;
  throw new PaddockError(`"${source.name}": damaged zstd data: it ends too early`, {
    hint: "copy or make the file again",
  });
}

/** An image is seen by its first file; what comes to this has others in front. */
function requireRootfs(
  source: ArchiveSource,
  image: ImageArchive | undefined,
  counts: Readonly<ExtractCounts>,
): void {
  if (image !== undefined) throw imageArchiveError(source.name, image);
  if (counts.entries === 0) {
    throw new PaddockError(`"${source.name}" is an archive of nothing`, {
      hint: "make it again with: docker export CONTAINER > FILE",
    });
  }
}
