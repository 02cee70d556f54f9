/**
 * The store of unpacked layers and root filesystems below the data root, shared by any number of paddock processes.
 *
 * ```
 * layers/sha256/HEX/rootfs/      the files of one layer, or of a whole root filesystem; never written to again: containers see it below an overlay
 * layers/sha256/HEX/init/        mount points that rootfs lacks (see init_layer.ts), absent when it lacks none
 * layers/sha256/HEX/layer.json   size, where it came from, config
 * layers/tmp/NAME/               an import at work; its directory is locked with flock as long as it lives
 * layers/sources/DEV-INO         what a file that was imported holds: its own lock, and a line of JSON
 * l/DIGITS                       short names of layers, for overlays of many
 * layers/sources/chain-HEX       the lock of a layer that is being unpacked
 * ```
 *
 * A layer appears by one rename, whole. What a crash leaves lies in tmp, its lock free: `removeLeftovers` finds it.
 * HEX is the SHA-256 of the unpacked archive (OCI's diff ID), so the same content packed otherwise is the same layer; for
 * a layer of an image that has others below it, it is of all of them (OCI's chain ID).
 *
 * Data is not synced before the rename, as that would double the time of an import. Instead the layer notes the boot it
 * was made in, and is trusted during that boot, when the page cache is the truth; it is synced when it is used a minute
 * or more later, when that costs nothing. After a power loss in between it is made again.
 *
 * @module
 */
import { toCBytes } from "../base/byte_string.ts";
import { PaddockError } from "../base/errors.ts";
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
} from "../kernel/fs.ts";
import { removeTreeAt } from "../kernel/remove_tree.ts";
import { KernelError } from "../kernel/syscall.ts";
import { beginsAsImage } from "./begins_as_image.ts";
import { keepBlob, readBlob } from "./blobs.ts";
import { chainIdOf } from "./chain_id.ts";
import { type ContentDigest, isDigest } from "./content_digest.ts";
import { hashBytes } from "./content_hash.ts";
import { extractArchive, type ExtractOptions } from "./extract.ts";
import { readDiffIds } from "./image_config.ts";
import { makeInitLayer } from "./init_layer.ts";
import { type LayerRecord, parseLayerRecord } from "./layer_record.ts";
import { openLocked } from "./lock_file.ts";
import { isOpaque, LowerTree } from "./lower_tree.ts";
import { type ArchiveSource, openArchive } from "./source.ts";
import { SourceIndex } from "./source_index.ts";

/** An unpacked layer, or a whole root filesystem, ready to be used read-only. */
export interface StoredLayer {
  /** Its name in the store: `sha256:HEX` of the unpacked archive; with layers below, of all of them. */
  readonly chainId: string;
  /** `sha256:HEX` of the unpacked archive. */
  readonly diffId: string;
  /** Absolute path of the files. */
  readonly rootfs: string;
  /** Absolute path of a directory with the mount points that the files down to here lack: a lower layer above them. */
  readonly init: string | undefined;
  /** Absolute paths of an overlay's lower directories, the topmost first: `init`, `rootfs`, the layers below. */
  readonly lower: readonly string[];
  /** Was it unpacked just now? */
  readonly isNew: boolean;
  /** What the user should know of the import; empty when nothing was imported. */
  readonly warnings: readonly string[];
}

/** What an archive became: its topmost layer, and of an image what is known of it. */
export interface StoredImage extends StoredLayer {
  /** Absent for a plain root filesystem. */
  readonly image?: ImageFacts;
}

/** What an image is beside its files. */
export interface ImageFacts {
  /** Digest of its configuration, which docker calls the image's id. */
  readonly id: ContentDigest;
  /** The text of its configuration. */
  readonly config: string;
  /** Names in full that the archive gives it; empty where it was known already. */
  readonly names: readonly string[];
}

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

/** Stands before the digest of a configuration where a layer's could be. */
const IMAGE = "image:";

/** Seconds after which the kernel has written a layer back by itself (dirty_expire_centisecs is 30 s). */
const SETTLED_SECONDS = 60;
const JSON_LIMIT = 1 << 20;
/** Bytes of `lowerdir=` from which on it takes short names: the other options of an overlay need their share of 4096. */
const LONGEST_OPTION = 2048;

/** A data root's layers. Dispose of it to close its descriptors. */
export class LayerStore implements Disposable {
  /** @param dataRoot absolute path of the data root. */
  private constructor(readonly dataRoot: string, private readonly layers: Fd) {}

  /**
   * Opens the store for who removes layers: nobody imports, or looks for one, meanwhile.
   *
   * @throws PaddockError when there is none.
   */
  static openAlone(dataRoot: string): LayerStore {
    try {
      const store = new LayerStore(dataRoot, openDirectory(`${dataRoot}/layers`));
      lockFd(store.layers.number, LOCK.EX);
      return store;
    } catch (error) {
      throw explainStore(dataRoot, error);
    }
  }

  /**
   * Opens the store, making its directories where they are missing (mode 0700: setuid programs lie in there).
   *
   * @throws PaddockError when the data root cannot be made or written.
   */
  static open(dataRoot: string): LayerStore {
    const path = dataRoot.replace(/\/+$/, "");
    try {
      for (const part of ["", "/layers", "/layers/sha256", "/layers/tmp", "/layers/sources"]) {
        Deno.mkdirSync(path + part, { recursive: true, mode: 0o700 });
      }
      const store = new LayerStore(path, openDirectory(`${path}/layers`));
      // Shared by all but who removes layers. Where locks are not to be had, nobody removes either.
      calls.flock(store.layers.number, LOCK.SH);
      return store;
    } catch (error) {
      throw explainStore(path, error);
    }
  }

  /** Opens the store where there is one, making nothing: for who only looks, and may not be root. */
  static openThere(dataRoot: string): LayerStore | undefined {
    const fd = calls.openat(AT.FDCWD, toCText(`${dataRoot}/layers`), O.RDONLY | O.DIRECTORY | O.CLOEXEC);
    return fd < 0 ? undefined : new LayerStore(dataRoot, new Fd(fd));
  }

  /**
   * What an archive became where it is imported already; makes nothing, reads the beginning of the archive alone, and
   * needs no root where the store can be read.
   *
   * @param part which image of several in the archive.
   * @throws PaddockError for what can be no archive, told by its first bytes.
   */
  static async peek(dataRoot: string, source: string, part?: string): Promise<StoredImage | undefined> {
    using archive = openArchive(source);
    if (!archive.isRegular) return undefined;
    await archive.begin();
    using store = LayerStore.openThere(dataRoot);
    const known = store === undefined ? undefined : SourceIndex.peek(store.layers.number, archive.stat, part);
    return known === undefined ? undefined : await store!.#recall(known, (id) => store!.#describe(id));
  }

  [Symbol.dispose](): void {
    this.layers.close();
  }

  /**
   * The layer or the image of an archive, imported unless it is known by its inode, size and times. Processes that
   * import the same file at the same time do the work once.
   *
   * @param source path of the archive, `-` for standard input.
   * @param part which image, where the archive holds several.
   * @throws PaddockError for what cannot be read, unpacked or stored; nothing half-made stays.
   */
  async lookupOrImport(source: string, options: ExtractOptions = {}, part?: string): Promise<StoredImage> {
    using archive = openArchive(source);
    if (!archive.isRegular) return await this.#import(archive, options, part);
    using index = this.#openIndex(archive, part);
    const known = index.read(archive.stat);
    const layer = known === undefined ? undefined : await this.#recall(known, (id) => this.find(id));
    if (layer !== undefined) return layer;
    try {
      const imported = await this.#import(archive, options, part);
      index.write(archive.stat, imported.image === undefined ? imported.chainId : `${IMAGE}${imported.image.id}`);
      return imported;
    } catch (error) {
      index.remove();
      throw error;
    }
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
    using _lock = this.#guard(() => openLocked(this.layers.number, path));
    try {
      return this.find(chainId) ?? await this.#add(layer, below, options);
    } finally {
      calls.unlinkat(this.layers.number, toCText(path), 0);
    }
  }

  /** Lends a directory below the store; it is gone afterwards, whatever happens. @param body takes its absolute path. */
  async withDirectory<T>(body: (path: string) => Promise<T>): Promise<T> {
    return await this.#inTemporary(body);
  }

  /** Keeps an image's configuration, by which the image is found again. */
  async keepConfig(config: string): Promise<ContentDigest> {
    const bytes = new TextEncoder().encode(config);
    const id = await hashBytes(bytes);
    this.#guard(() => keepBlob(this.dataRoot, id, bytes));
    return id;
  }

  /** An image that is there and can be trusted, or `undefined`. @param id digest of its configuration. */
  async findImage(id: ContentDigest): Promise<StoredImage | undefined> {
    return await this.#recall(`${IMAGE}${id}`, (chainId) => this.find(chainId));
  }

  /** The same by the configuration itself. */
  async findByConfig(config: string): Promise<StoredImage | undefined> {
    return await this.findImage(await hashBytes(new TextEncoder().encode(config)));
  }

  /**
   * Lower directories by short names where they are many: the kernel takes one page of mount options, and a hundred of
   * their own paths do not fit in it.
   *
   * @param lower absolute paths in this store, the topmost first.
   */
  shorten(lower: readonly string[]): readonly string[] {
    if (lower.join(":").length <= LONGEST_OPTION) return lower;
    return this.#guard(() => {
      Deno.mkdirSync(`${this.dataRoot}/l`, { recursive: true, mode: 0o700 });
      return lower.map((path) => this.#shorten(path));
    });
  }

  /** A symlink `l/DIGITS`: the first digits of a layer's name, as many as nobody else has. */
  #shorten(path: string): string {
    const inside = path.slice(this.dataRoot.length + 1);
    const hex = inside.replace(/^layers\/sha256\//, "");
    const suffix = inside.endsWith("/init") ? "i" : "";
    for (let digits = 10;; digits++) {
      const link = `${this.dataRoot}/l/${hex.slice(0, digits)}${suffix}`;
      try {
        Deno.symlinkSync(`../${inside}`, link);
        return link;
      } catch (error) {
        if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
        if (Deno.readLinkSync(link) === `../${inside}`) return link;
      }
    }
  }

  /** What a file or a name was noted to hold. */
  async #recall(
    known: string,
    find: (chainId: string) => StoredLayer | undefined,
  ): Promise<StoredImage | undefined> {
    if (!known.startsWith(IMAGE)) return find(known);
    const id = known.slice(IMAGE.length) as ContentDigest;
    const config = readBlob(this.dataRoot, id);
    if (config === undefined) return undefined;
    let chainId: string | undefined;
    for (const diffId of readDiffIds(config, id)) chainId = await chainIdOf(chainId, diffId);
    const layer = chainId === undefined ? undefined : find(chainId);
    return layer === undefined ? undefined : { ...layer, image: { id, config, names: [] } };
  }

  /** A layer that is there, all below it too, and can be trusted, or `undefined`. @param chainId `sha256:HEX` */
  find(chainId: string): StoredLayer | undefined {
    for (let at: string | undefined = chainId; at !== undefined;) {
      const hex: string = parseChainId(at);
      const record: LayerRecord | undefined = this.#readRecord(hex);
      if (record === undefined || (!record.durable && !this.#settle(hex, record))) return undefined;
      at = record.parent;
    }
    return this.#describe(chainId);
  }

  /** The record of a layer: size, source, config. `undefined` when there is none. */
  readRecord(chainId: string): LayerRecord | undefined {
    return this.#readRecord(parseChainId(chainId));
  }

  /** Directories of imports that died, by name. */
  listLeftovers(): string[] {
    return [...this.#lockLeftovers()];
  }

  /** Removes what imports that died have left; gives how many. @throws KernelError, PaddockError */
  removeLeftovers(): number {
    let count = 0;
    for (const name of this.#lockLeftovers()) {
      this.#removeTemporary(name);
      count++;
    }
    return count;
  }

  /** Names of temporary directories that no live import holds, each locked while the caller looks at it. */
  *#lockLeftovers(): Generator<string, void, void> {
    using tmp = openAt(this.layers.number, "tmp", O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    for (const { name } of listDirectory(tmp.number)) {
      const fd = calls.openat(tmp.number, toCBytes(name), O.RDONLY | O.NOFOLLOW | O.CLOEXEC);
      if (fd < 0) continue;
      using directory = new Fd(fd);
      if (lockFd(directory.number, LOCK.EX | LOCK.NB)) yield name;
    }
  }

  /** The names of all layers, each behind those below it. */
  list(): string[] {
    using directory = openAt(this.layers.number, "sha256", O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    const ids = listDirectory(directory.number).map(({ name }) => `sha256:${name}`).filter(isDigest);
    const depths = new Map(ids.map((id) => [id, this.#depthOf(id)] as const));
    return ids.sort((a, b) => depths.get(a)! - depths.get(b)!);
  }

  #depthOf(chainId: string): number {
    let depth = 0;
    for (let at: string | undefined = chainId; at !== undefined; depth++) at = this.readRecord(at)?.parent;
    return depth;
  }

  /** The names of an image's layers, the lowest first; none where its configuration is not there. */
  async listChain(id: ContentDigest): Promise<string[]> {
    const config = readBlob(this.dataRoot, id);
    if (config === undefined) return [];
    const chain: string[] = [];
    for (const diffId of readDiffIds(config, id)) chain.push(await chainIdOf(chain.at(-1), diffId));
    return chain;
  }

  /** The name of the layer that a path of it, or its short name, leads into; undefined for any other path. */
  chainOf(path: string): string | undefined {
    const long = path.startsWith(`${this.dataRoot}/l/`) ? readLink(path) : path;
    const [, hex] = /(?:^|\/)layers\/sha256\/([0-9a-f]{64})\//.exec(`${long}/`) ?? [];
    return hex === undefined ? undefined : `sha256:${hex}`;
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
      const result = calls.renameat2(this.layers.number, toCText(`tmp/${temporary}`), this.layers.number, to, 0);
      check(`layer ${chainId}`, "renameat2", result);
      return false;
    }
    this.#removeTemporary(temporary);
    for (const suffix of ["", "i"]) this.#removeShortName(`${parseChainId(chainId).slice(0, 10)}${suffix}`);
    return true;
  }

  #removeShortName(name: string): void {
    try {
      Deno.removeSync(`${this.dataRoot}/l/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /** Removes a layer. The caller sees to it that no container uses it. */
  remove(chainId: string): void {
    const temporary = this.#hide(chainId);
    if (temporary !== undefined) this.#removeTemporary(temporary);
  }

  /** Takes a layer out of sight by one rename: a removal that is cut short leaves a leftover, not half a layer. */
  #hide(chainId: string): string | undefined {
    const hex = parseChainId(chainId);
    const temporary = makeTemporaryName();
    const to = toCText(`tmp/${temporary}`);
    const result = calls.renameat2(this.layers.number, toCText(`sha256/${hex}`), this.layers.number, to, 0);
    if (result === -E.NOENT) return undefined;
    check(`layer ${hex}`, "renameat2", result);
    return temporary;
  }

  /** A whole root filesystem, or the image that an archive turns out to be. */
  async #import(archive: ArchiveSource, options: ExtractOptions, part: string | undefined): Promise<StoredImage> {
    if (!await beginsAsImage(archive)) {
      if (part === undefined) return await this.#extract(archive, undefined, undefined, options);
      throw new PaddockError(`"${archive.name}" holds a root filesystem and no images, so none is ${part}`);
    }
    // Loaded only now: most archives are root filesystems, and what is there already needs none of it.
    const { importImage } = await import("./import_image.ts");
    return await this.#inTemporary(async (directory) => {
      const imported = await importImage(this, archive, directory, options, part);
      if (!("chunks" in imported)) return imported;
      // After all it is a root filesystem that begins with a file of such a name.
      using rootfs = imported;
      return await this.#extract(rootfs, undefined, undefined, options);
    });
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
    return await this.#inTemporary(async (name, directory) => {
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

  /** Lends a directory that is gone afterwards, whatever happens. */
  async #inTemporary<T>(body: (path: string, directory: Fd) => Promise<T>): Promise<T> {
    try {
      const { name, directory } = this.#makeTemporary();
      using _lock = directory;
      try {
        return await body(`${this.dataRoot}/layers/tmp/${name}`, directory);
      } finally {
        // Of a layer that was published the name is gone already.
        this.#removeTemporary(name);
      }
    } catch (error) {
      throw explainStore(this.dataRoot, error);
    }
  }

  async #unpack(
    archive: ArchiveSource,
    directory: Fd,
    over: Over | undefined,
    options: ExtractOptions,
  ): Promise<{ record: LayerRecord; warnings: readonly string[] }> {
    using rootfs = makeDirectory(directory.number, "rootfs", 0o755);
    using below = new LowerTree(over?.lower ?? []);
    const extracted = await extractArchive(archive, rootfs.number, options, over === undefined ? undefined : below);
    const { diffId, bytes, entries, unpackedBytes, warnings } = extracted;
    const hidesAll = over?.parent !== undefined && isOpaque(rootfs.number);
    using all = new LowerTree([procPath(directory.number, "rootfs"), ...(hidesAll ? [] : over?.lower ?? [])]);
    const hasInit = makeInitLayer(all, directory.number, "init");
    const created = new Date().toISOString();
    const origin = { source: archive.name, created, durable: false, bootId: readBootId() };
    const place = { ...(over?.parent === undefined ? {} : { parent: over.parent }), ...(hidesAll ? { hidesAll } : {}) };
    return { record: { diffId, bytes, entries, unpackedBytes, hasInit, ...place, ...origin }, warnings };
  }

  #publish(name: string, chainId: string, warnings: readonly string[]): StoredLayer {
    const hex = parseChainId(chainId);
    const fd = this.layers.number;
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
    return { ...this.#describe(chainId)!, isNew: true, warnings };
  }

  #describe(chainId: string): StoredLayer | undefined {
    const lower: string[] = [];
    const path = (id: string): string => `${this.dataRoot}/layers/sha256/${parseChainId(id)}`;
    const top = this.readRecord(chainId);
    for (let at: string | undefined = chainId; at !== undefined;) {
      const record: LayerRecord | undefined = at === chainId ? top : this.readRecord(at);
      if (record === undefined) return undefined;
      lower.push(`${path(at)}/rootfs`);
      at = record.hidesAll ? undefined : record.parent;
    }
    const init = top!.hasInit ? `${path(chainId)}/init` : undefined;
    return {
      chainId,
      diffId: top!.diffId,
      rootfs: lower[0]!,
      init,
      lower: init === undefined ? lower : [init, ...lower],
      isNew: false,
      warnings: [],
    };
  }

  /** Is a layer that was not synced to be trusted? Syncs it once it has settled. */
  #settle(hex: string, record: LayerRecord): boolean {
    if (record.bootId !== readBootId()) return false;
    if (Date.now() - Date.parse(record.created) < SETTLED_SECONDS * 1000) return true;
    if (calls.syncfs(this.layers.number) < 0) return true;
    const path = `${this.dataRoot}/layers/sha256/${hex}/layer.json`;
    try {
      Deno.writeTextFileSync(`${path}.new-${Deno.pid}`, `${JSON.stringify({ ...record, durable: true })}\n`, {
        mode: 0o600,
      });
      Deno.renameSync(`${path}.new-${Deno.pid}`, path);
    } catch {
      // A store that is full or read-only now is still good to run from.
    }
    return true;
  }

  #readRecord(hex: string): LayerRecord | undefined {
    let text: string;
    try {
      const path = `${this.dataRoot}/layers/sha256/${hex}/layer.json`;
      if (Deno.statSync(path).size > JSON_LIMIT) return undefined;
      text = Deno.readTextFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw explainStore(this.dataRoot, error);
    }
    const record = parseLayerRecord(text);
    return record?.parent === undefined && record?.diffId !== `sha256:${hex}` ? undefined : record;
  }

  #openIndex(archive: ArchiveSource, part: string | undefined): SourceIndex {
    return this.#guard(() => SourceIndex.open(this.layers.number, archive.stat, part));
  }

  #guard<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      throw explainStore(this.dataRoot, error);
    }
  }

  /** A directory to import into, locked: only what is not locked is taken for a leftover. */
  #makeTemporary(): { name: string; directory: Fd } {
    for (;;) {
      const name = makeTemporaryName();
      const directory = makeDirectory(this.layers.number, `tmp/${name}`, 0o700);
      lockFd(directory.number, LOCK.EX);
      // A cleaner may have taken it in the moment before it was locked.
      if (statAt(this.layers.number, `tmp/${name}`)?.ino === statFd(directory.number).ino) return { name, directory };
      directory.close();
    }
  }

  #removeTemporary(name: string): void {
    using tmp = openAt(this.layers.number, "tmp", O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    removeTreeAt(tmp.number, name);
  }
}

function makeDirectory(dir: number, name: string, mode: number): Fd {
  check(`"${name}"`, "mkdirat", calls.mkdirat(dir, toCText(name), mode));
  const directory = openAt(dir, name, O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
  // Whatever the umask is, and whatever a setgid directory above hands on.
  check(`"${name}"`, "fchmod", calls.fchmod(directory.number, mode));
  return directory;
}

function readLink(path: string): string {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return "";
  }
}

function makeTemporaryName(): string {
  const random = crypto.getRandomValues(new Uint8Array(8));
  return `${Deno.pid}-${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** The HEX of `sha256:HEX`; nothing else ever becomes part of a path. @throws PaddockError */
function parseChainId(chainId: string): string {
  const match = /^sha256:([0-9a-f]{64})$/.exec(chainId);
  if (match === null) {
    throw new PaddockError(`"${chainId}" is not a digest: sha256 and 64 hexadecimal digits are wanted`);
  }
  return match[1]!;
}

function readBootId(): string {
  return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
}

/** Says what is wrong with the store where the system only said what is wrong. */
function explainStore(dataRoot: string, error: unknown): unknown {
  const hint = `make "${dataRoot}" writable, or keep the store elsewhere with --data-root`;
  if (error instanceof KernelError) {
    return new PaddockError(`store "${dataRoot}": ${error.message}`, { hint, cause: error });
  }
  if (error instanceof PaddockError || !(error instanceof Error) || !("code" in error)) return error;
  const why = error.message.replace(/ \(os error \d+\).*$/, "").replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase());
  return new PaddockError(`store "${dataRoot}": ${String(error.code)}: ${why}`, { hint, cause: error });
}
