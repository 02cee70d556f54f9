/**
 * Layers of the store as blobs of an image that is written out: the archive that each was unpacked from, plain or packed.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { openDirectory } from "../kernel/fs.ts";
import type { ContentDigest } from "./content_digest.ts";
import { startHash } from "./content_hash.ts";
import { exportLayer } from "./export.ts";
import { hasLayerArchive, readLayerArchive } from "./layer_archive.ts";
import { layerPath } from "./layer_names.ts";
import type { LayerStore } from "./layer_store.ts";
import { LowerTree } from "./lower_tree.ts";

/** How layers are packed. */
export type Compression = "none" | "gzip" | "zstd";

/** What is told by a layer's media type, OCI's or docker's. */
export function compressionOf(mediaType: string): Compression {
  return /[+.](gzip|zstd)$/.exec(mediaType)?.[1] as Compression | undefined ?? "none";
}

type Bytes = Uint8Array<ArrayBuffer>;

/** Takes bytes, valid until it has come to its end. */
export type Output = (bytes: Bytes) => void | Promise<void>;

/** Content of an image that can be written out. */
export interface SavedBlob {
  readonly digest: ContentDigest;
  /** Bytes. */
  readonly size: number;
  readonly mediaType: string;
  /** @throws PaddockError where it is not what its digest says */
  readonly write: (output: Output) => Promise<void>;
  /** Where it lies whole; absent for what is made when it is written. */
  readonly path?: string;
}

/** A layer as a blob, and what it unpacks to. */
export interface PackedLayer extends SavedBlob {
  readonly diffId: ContentDigest;
}

const MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar";
const CHUNK = 1 << 20;

/**
 * Prepares a layer. Where its archive cannot be written again (layers of older paddocks, a few odd archives) one is made
 * of its files: then it is another, with another digest.
 *
 * @param directory absolute path of a directory for packed layers, which must stay until the blob is written.
 * @throws PaddockError for a layer that is not there, or was changed.
 */
export async function packLayer(
  store: LayerStore,
  chainId: string,
  compression: Compression,
  directory: string,
): Promise<PackedLayer> {
  const record = store.readRecord(chainId);
  if (record === undefined) throw new PaddockError(`layer ${chainId} is not in the store any more`);
  const path = layerPath(store.dataRoot, chainId);
  const diffId = record.diffId as ContentDigest;
  const isExact = hasLayerArchive(path);
  const read = isExact
    ? (output: Output) => verified(diffId, output, (checked) => readLayerArchive(path, checked))
    : (output: Output) => makeArchive(store, chainId, `${directory}/archive.tar`, output);
  if (isExact && compression === "none") {
    return { digest: diffId, diffId, size: record.unpackedBytes, mediaType: MEDIA_TYPE, write: read };
  }
  return await pack(read, compression, `${directory}/${chainId.slice("sha256:".length)}`);
}

/** Hands an archive on, and fails at its end where it is not what its digest says. */
async function verified(
  diffId: ContentDigest,
  output: Output,
  read: (output: Output) => Promise<void>,
): Promise<void> {
  const hash = await startHash(diffId);
  await read((bytes) => {
    hash.update(bytes);
    return output(bytes);
  });
  const found = hash.finish();
  if (found === diffId) return;
  throw new PaddockError(`layer ${diffId} of the store is not what its digest says: its files make ${found}`, {
    hint: "somebody wrote to it: see paddock verify, remove the image and get it again",
  });
}

/** A layer's files once more as an archive. @param spool path of a file for it, as it is read in one go. */
async function makeArchive(store: LayerStore, chainId: string, spool: string, output: Output): Promise<void> {
  const { parent } = store.readRecord(chainId)!;
  const below = parent === undefined ? undefined : store.describe(parent);
  using lower = new LowerTree(below?.lower.filter((path) => path !== below.init) ?? []);
  using root = openDirectory(`${layerPath(store.dataRoot, chainId)}/rootfs`);
  {
    using file = Deno.openSync(spool, { write: true, create: true, truncate: true, mode: 0o600 });
    exportLayer(root.number, (bytes) => writeAll(file, bytes), {
      lower,
      openMerged: noHints,
      hasNamedMarks: true,
      note: () => {},
    });
  }
  await copyFile(spool, output);
}

/** Layers are unpacked without any. */
function noHints(): never {
  throw new PaddockError("a layer of the store has marks that only a mounted overlay makes");
}

/** Packs into a file, as digest and size stand before the bytes in what is written. */
async function pack(
  read: (output: Output) => Promise<void>,
  compression: Compression,
  path: string,
): Promise<PackedLayer> {
  const plain = await startHash("sha256:");
  const packed = await startHash("sha256:");
  let size = 0;
  {
    using file = Deno.openSync(path, { write: true, createNew: true, mode: 0o600 });
    const keep = (bytes: Uint8Array): void => {
      packed.update(bytes);
      size += bytes.length;
      writeAll(file, bytes);
    };
    const packer = await startPacker(compression, keep);
    await read(async (bytes) => {
      plain.update(bytes);
      await packer.write(bytes);
    });
    await packer.end();
  }
  const mediaType = compression === "none" ? MEDIA_TYPE : `${MEDIA_TYPE}+${compression}`;
  return {
    digest: packed.finish(),
    diffId: plain.finish(),
    size,
    mediaType,
    path,
    write: (output) => copyFile(path, output),
  };
}

interface Packer {
  readonly write: (bytes: Bytes) => Promise<void>;
  readonly end: () => Promise<void>;
}

async function startPacker(compression: Compression, keep: (bytes: Uint8Array) => void): Promise<Packer> {
  if (compression === "none") {
    return { write: (bytes) => Promise.resolve(keep(bytes)), end: () => Promise.resolve() };
  }
  const { createGzip, createZstdCompress } = await import("node:zlib");
  const stream = compression === "gzip" ? createGzip() : createZstdCompress();
  const done = Promise.withResolvers<void>();
  stream.on("data", keep);
  stream.on("end", () => done.resolve());
  stream.on("error", (error) => done.reject(error));
  // Nobody waits for it when reading fails first.
  done.promise.catch(() => {});
  return {
    write: async (bytes) => {
      // The reader uses its buffer again.
      if (stream.write(bytes.slice())) return;
      await Promise.race([new Promise<void>((resolve) => void stream.once("drain", resolve)), done.promise]);
    },
    end: async () => {
      stream.end();
      await done.promise;
    },
  };
}

async function copyFile(path: string, output: Output): Promise<void> {
  using file = Deno.openSync(path);
  const buffer = new Uint8Array(CHUNK);
  for (let got = file.readSync(buffer); got !== null; got = file.readSync(buffer)) {
    await output(buffer.subarray(0, got));
  }
}

function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
}
