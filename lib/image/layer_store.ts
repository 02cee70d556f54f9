/**
 * The store of unpacked layers and root filesystems below the data root, shared by any number of paddock processes.
 *
 * ```
 * layers/sha256/HEX/rootfs/      the files of one layer, or of a whole root filesystem; never written to again: containers see it below an overlay
 * layers/sha256/HEX/init/        mount points that rootfs lacks (see init_layer.ts), absent when it lacks none
 * layers/sha256/HEX/layer.json   size, where it came from, config
 * layers/sha256/HEX/tar-split    what else it takes to write its archive again (see tar_split.ts)
 * layers/tmp/NAME/               an import at work; its directory is locked with flock as long as it lives
 * layers/sources/DEV-INO         what a file that was imported holds: its own lock, and a line of JSON
 * layers/sources/chain-HEX       the lock of a layer that is being unpacked
 * l/DIGITS                       short names of layers, for overlays of many
 * ```
 *
 * A layer appears by one rename, whole. What a crash leaves lies in tmp, its lock free: `removeLeftovers` finds it.
 * HEX is the SHA-256 of the unpacked archive (OCI's diff ID), so the same content packed otherwise is the same layer; for
 * a layer of an image that has others below it, it is of all of them (OCI's chain ID).
 *
 * What images are made of these layers is `image_store.ts`'s.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { toCBytes } from "../base/byte_string.ts";
import { Fd } from "../kernel/fd.ts";
import * as calls from "../kernel/file_calls.ts";
import {
  AT,
  check,
  E,
  listDirectory,
  LOCK,
  lockFd,
  O,
  openAt,
  openDirectory,
  procPath,
  RENAME_NOREPLACE,
  statAt,
  statFd,
  toCText,
  writeAll,
} from "../kernel/fs.ts";
import { removeTreeAt } from "../kernel/remove_tree.ts";
import { chainIdOf } from "./chain_id.ts";
import { extractArchive, type ExtractOptions, type ExtractResult } from "./extract.ts";
import { makeInitLayer } from "./init_layer.ts";
import { LayerCatalog, readBootId, type StoredLayer } from "./layer_catalog.ts";
import { parseChainId, removeShortNames } from "./layer_names.ts";
import type { LayerRecord } from "./layer_record.ts";
import { lockWhenFree } from "./lock_file.ts";
import { isOpaque, LowerTree } from "./lower_tree.ts";
import type { ArchiveSource } from "./source.ts";
import { DISPLACED_DIRECTORY, TAR_SPLIT_FILE } from "./tar_split.ts";
import { explainStore, guardStore } from "./store_errors.ts";
import { makeDirectory, makeTemporaryName, TemporaryDirectories } from "./temporary_directories.ts";

/** A layer that is to be unpacked over others. */
export interface NewLayer {
  /** Of what it unpacks to; absent in archives that do not say. */
  readonly diffId?: string;
  /** Opens it; called only where it is not there yet. */
  readonly open: () => Promise<ArchiveSource>;
}

/** What lies below a layer that is unpacked. */
interface Over {
  /** Absolute paths of the layers, the topmost first. */
  readonly lower: readonly string[];
  readonly parent: string | undefined;
}

/** A data root's layers. Dispose of it to close its descriptors. */
export class LayerStore implements Disposable {
  /** Descriptor of `layers`, the store's. */
  readonly directory: number;
  readonly #catalog: LayerCatalog;
  readonly #temporary: TemporaryDirectories;

  /** @param dataRoot absolute path of the data root. */
  private constructor(readonly dataRoot: string, private readonly layers: Fd) {
    this.directory = layers.number;
    this.#catalog = new LayerCatalog(dataRoot, layers.number);
    this.#temporary = new TemporaryDirectories(dataRoot, layers.number);
  }

  /**
   * Opens the store for who removes layers: nobody imports, or looks for one, meanwhile.
   *
   * @throws PaddockError when there is none.
   */
  static openAlone(dataRoot: string): LayerStore {
    return guardStore(dataRoot, () => {
      const store = new LayerStore(dataRoot, openDirectory(`${dataRoot}/layers`));
      lockFd(store.directory, LOCK.EX);
      return store;
    });
  }

  /**
   * Opens the store, making its directories where they are missing (mode 0700: setuid programs lie in there).
   *
   * @throws PaddockError when the data root cannot be made or written.
   */
  static open(dataRoot: string): LayerStore {
    const path = dataRoot.replace(/\/+$/, "");
    return guardStore(path, () => {
      for (const part of ["", "/layers", "/layers/sha256", "/layers/tmp", "/layers/sources"]) {
        Deno.mkdirSync(path + part, { recursive: true, mode: 0o700 });
      }
      const store = new LayerStore(path, openDirectory(`${path}/layers`));
      // Shared by all but who removes layers. Where locks are not to be had, nobody removes either.
      calls.flock(store.directory, LOCK.SH);
      return store;
    });
  }

  /** Opens the store where there is one, making nothing: for who only looks, and may not be root. */
  static openThere(dataRoot: string): LayerStore | undefined {
    const fd = calls.openat(AT.FDCWD, toCText(`${dataRoot}/layers`), O.RDONLY | O.DIRECTORY | O.CLOEXEC);
    return fd < 0 ? undefined : new LayerStore(dataRoot, new Fd(fd));
  }

  [Symbol.dispose](): void {
    this.layers.close();
  }

  /** A layer that is there, all below it too, and can be trusted, or `undefined`. @param chainId `sha256:HEX` */
  find(chainId: string): StoredLayer | undefined {
    return this.#catalog.find(chainId);
  }

  /** A layer that is there, all below it too, whether it can be trusted or not. */
  describe(chainId: string): StoredLayer | undefined {
    return this.#catalog.describe(chainId);
  }

  /** The record of a layer: size, source, config. `undefined` when there is none. */
  readRecord(chainId: string): LayerRecord | undefined {
    return this.#catalog.readRecord(chainId);
  }

  /** The names of all layers, each behind those below it. */
  list(): string[] {
    return this.#catalog.list();
  }

  /** Lends a directory below the store; it is gone afterwards, whatever happens. @param body takes its absolute path. */
  async withDirectory<T>(body: (path: string) => Promise<T>): Promise<T> {
    return await this.#temporary.lend(body);
  }

  /**
   * A layer of an image, unpacked unless it is there. Processes that want the same one at the same time do the work once.
   *
   * @param below the layer under it; undefined for the lowest.
   * @throws PaddockError for what cannot be read, unpacked or stored, or is not what its digest says.
   */
  async lookupOrAdd(layer: NewLayer, below: StoredLayer | undefined, options: ExtractOptions): Promise<StoredLayer> {
    if (layer.diffId === undefined) return await this.#add(layer, below, options);
    const chainId = await chainIdOf(below?.chainId, layer.diffId);
    const there = this.find(chainId);
    if (there !== undefined) return there;
    const path = `sources/chain-${parseChainId(chainId)}`;
    using _lock = await this.#lock(path);
    try {
      return this.find(chainId) ?? await this.#add(layer, below, options);
    } finally {
      calls.unlinkat(this.directory, toCText(path), 0);
    }
  }

  /** Whoever holds it may wait for what another download of ours brings: no sleep in the kernel. */
  async #lock(path: string): Promise<Fd> {
    try {
      return await lockWhenFree(this.directory, path);
    } catch (error) {
      throw explainStore(this.dataRoot, error);
    }
  }

  /**
   * Unpacks a whole root filesystem; one of the same content is found again, after it was read.
   *
   * @throws PaddockError for what cannot be read, unpacked or stored.
   */
  async addRootfs(archive: ArchiveSource, options: ExtractOptions): Promise<StoredLayer> {
    return await this.#extract(archive, undefined, undefined, options);
  }

  async #add(layer: NewLayer, below: StoredLayer | undefined, options: ExtractOptions): Promise<StoredLayer> {
    using archive = await layer.open();
    const lower = below === undefined ? [] : below.lower.filter((path) => path !== below.init);
    return await this.#extract(archive, { lower, parent: below?.chainId }, layer.diffId, options);
  }

  /** @param over the layers below; undefined for a whole root filesystem. */
  async #extract(
    archive: ArchiveSource,
    over: Over | undefined,
    diffId: string | undefined,
    options: ExtractOptions,
  ): Promise<StoredLayer> {
    return await this.#temporary.lend(async (name, directory) => {
      const { record, warnings } = await this.#unpack(archive, directory, over, options);
      if (diffId !== undefined && record.diffId !== diffId) {
        throw new PaddockError(`"${archive.name}" unpacks to ${record.diffId}, but the image says ${diffId}`, {
          hint: "the image is damaged or was changed: copy or make it again",
        });
      }
      Deno.writeTextFileSync(`${name}/layer.json`, `${JSON.stringify(record)}\n`, { mode: 0o600 });
      return this.#publish(
        name.slice(name.lastIndexOf("/") + 1),
        await chainIdOf(record.parent, record.diffId),
        warnings,
      );
    });
  }

  async #unpack(
    archive: ArchiveSource,
    directory: Fd,
    over: Over | undefined,
    options: ExtractOptions,
  ): Promise<{ record: LayerRecord; warnings: readonly string[] }> {
    using rootfs = makeDirectory(directory.number, "rootfs", 0o755);
    using below = new LowerTree(over?.lower ?? []);
    const extracted = await this.#extractKeeping(archive, directory, rootfs, options, over && below);
    const { diffId, bytes, entries, unpackedBytes, warnings } = extracted;
    const hidesAll = over?.parent !== undefined && isOpaque(rootfs.number);
    using all = new LowerTree([procPath(directory.number, "rootfs"), ...(hidesAll ? [] : over?.lower ?? [])]);
    const hasInit = makeInitLayer(all, directory.number, "init");
    const created = new Date().toISOString();
    const origin = { source: archive.name, created, durable: false, bootId: readBootId() };
    const isLayer = over === undefined ? {} : { isLayer: true };
    const place = {
      ...isLayer,
      ...(over?.parent === undefined ? {} : { parent: over.parent }),
      ...(hidesAll ? { hidesAll } : {}),
    };
    return { record: { diffId, bytes, entries, unpackedBytes, hasInit, ...place, ...origin }, warnings };
  }

  /** Extracts, and keeps what it takes to write the archive again. */
  async #extractKeeping(
    archive: ArchiveSource,
    directory: Fd,
    rootfs: Fd,
    options: ExtractOptions,
    below: LowerTree | undefined,
  ): Promise<ExtractResult> {
    using displaced = makeDirectory(directory.number, DISPLACED_DIRECTORY, 0o700);
    using file = openAt(directory.number, TAR_SPLIT_FILE, O.WRONLY | O.CREAT | O.EXCL, 0o600);
    const write = (bytes: Uint8Array): void => writeAll(file.number, bytes as Uint8Array<ArrayBuffer>, TAR_SPLIT_FILE);
    const keeping = { write, displaced: displaced.number };
    const extracted = await extractArchive(archive, rootfs.number, options, below, keeping);
    if (!extracted.isKept) calls.unlinkat(directory.number, toCText(TAR_SPLIT_FILE), 0);
    // Stays where it is not empty.
    if (extracted.isKept) calls.unlinkat(directory.number, toCText(DISPLACED_DIRECTORY), AT.REMOVEDIR);
    else removeTreeAt(directory.number, DISPLACED_DIRECTORY);
    return extracted;
  }

  #publish(name: string, chainId: string, warnings: readonly string[]): StoredLayer {
    const hex = parseChainId(chainId);
    const fd = this.directory;
    const from = toCText(`tmp/${name}`);
    const to = toCText(`sha256/${hex}`);
    let result = calls.renameat2(fd, from, fd, to, RENAME_NOREPLACE);
    // Another process was faster, or the one that is there was made before a power loss.
    if (result === -E.EXIST || result === -E.NOTEMPTY) {
      const there = this.find(chainId);
      if (there !== undefined) return { ...there, isNew: true, warnings };
      this.remove(chainId);
      result = calls.renameat2(fd, from, fd, to, RENAME_NOREPLACE);
    }
    check(`layer ${hex}`, "renameat2", result);
    return { ...this.describe(chainId)!, isNew: true, warnings };
  }

  /** Directories of imports that died, by name. */
  listLeftovers(): string[] {
    return [...this.#temporary.lockLeftovers()];
  }

  /** Removes what imports that died have left; gives how many. @throws KernelError, PaddockError */
  removeLeftovers(): number {
    let count = 0;
    for (const name of this.#temporary.lockLeftovers()) {
      this.#temporary.remove(name);
      count++;
    }
    return count;
  }

  /**
   * Removes lock files of imports that died, and notes of files that were never finished: empty ones that nobody holds.
   * @throws KernelError
   */
  removeStaleLocks(): void {
    using sources = openAt(this.directory, "sources", O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    for (const { name } of listDirectory(sources.number)) {
      const fd = calls.openat(sources.number, toCBytes(name), O.RDWR | O.NOFOLLOW | O.CLOEXEC);
      if (fd < 0) continue;
      using file = new Fd(fd);
      // Who waits for the lock sees that the file is gone, and starts over.
      if (!lockFd(fd, LOCK.EX | LOCK.NB) || statFd(file.number).size > 0) continue;
      if (statAt(sources.number, name)?.ino === statFd(fd).ino) calls.unlinkat(sources.number, toCBytes(name), 0);
    }
  }

  /**
   * Removes a layer unless it is used, which is asked when it is out of sight already.
   *
   * @returns false where it was put back.
   */
  removeUnless(chainId: string, isUsed: (chainId: string) => boolean): boolean {
    const temporary = this.#hide(chainId);
    if (temporary === undefined) return false;
    if (isUsed(chainId)) {
      const to = toCText(`sha256/${parseChainId(chainId)}`);
      const result = calls.renameat2(this.directory, toCText(`tmp/${temporary}`), this.directory, to, 0);
      check(`layer ${chainId}`, "renameat2", result);
      return false;
    }
    this.#temporary.remove(temporary);
    removeShortNames(this.dataRoot, chainId);
    return true;
  }

  /** Removes a layer. The caller sees to it that no container uses it. */
  remove(chainId: string): void {
    const temporary = this.#hide(chainId);
    if (temporary !== undefined) this.#temporary.remove(temporary);
  }

  /** Takes a layer out of sight by one rename: a removal that is cut short leaves a leftover, not half a layer. */
  #hide(chainId: string): string | undefined {
    const hex = parseChainId(chainId);
    const temporary = makeTemporaryName();
    const to = toCText(`tmp/${temporary}`);
    const result = calls.renameat2(this.directory, toCText(`sha256/${hex}`), this.directory, to, 0);
    if (result === -E.NOENT) return undefined;
    check(`layer ${hex}`, "renameat2", result);
    return temporary;
  }
}
