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
import { type ExtractCounts, TreeExtractor } from "./tree_extractor.ts";

/** How far an import is; called after each chunk of up to 1 MiB. */
export type OnProgress = (bytesRead: number, total: number | undefined) => void;

/** What an extraction may be given. */
export interface ExtractOptions {
  readonly limits?: ExtractLimits;
  readonly onProgress?: OnProgress;
}

/** What an extraction tells. */
export interface ExtractResult extends Readonly<ExtractCounts> {
  /** `sha256:HEX` of the unpacked archive, as OCI image configs have it in `rootfs.diff_ids`. */
  readonly diffId: string;
  /** Bytes of the unpacked archive. */
  readonly unpackedBytes: number;
  /** What could not be kept and does no harm, for the user to read. */
  readonly warnings: readonly string[];
}

/**
 * Extracts an archive into an empty directory.
 *
 * @param root descriptor of the directory; stays the caller's. On failure it holds what was made so far.
 * @param lower for a layer of an image: those below it. Absent for a whole root filesystem.
 * @throws PaddockError for a damaged, hostile or wrong archive and for what the filesystem refuses.
 */
export async function extractArchive(
  source: ArchiveSource,
  root: number,
  options: ExtractOptions = {},
  lower?: LowerTree,
): Promise<ExtractResult> {
  const limits = options.limits ?? DEFAULT_LIMITS;
  using extractor = new TreeExtractor(root, limits, lower);
  const detector = new ImageArchiveDetector();
  using digests = new DisposableStack();
  let digest: Digest | undefined;
  let unpackedBytes = 0;
  const reader = new TarReader({
    entry: (entry) => {
      detector.observe(entry);
      extractor.entry(entry);
    },
    data: (bytes, offset) => extractor.data(bytes, offset),
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
      reader.push(chunk);
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
  const diffId = `sha256:${await digest!.finish()}`;
  return { diffId, unpackedBytes, warnings: extractor.warnings, ...extractor.counts };
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
