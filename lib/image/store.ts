/**
 * The store of unpacked root filesystems below the data root, shared by any number of paddock processes.
 *
 * ```
 * layers/sha256/HEX/rootfs/      the files; never written to again: containers see it below an overlay
 * layers/sha256/HEX/init/        mount points that rootfs lacks (see init_layer.ts), absent when it lacks none
 * layers/sha256/HEX/layer.json   size, where it came from, config
 * layers/tmp/NAME/               an import at work; its directory is locked with flock as long as it lives
 * layers/sources/DEV-INO         what a file that was imported holds: its own lock, and a line of JSON
 * ```
 *
 * A layer appears by one rename, whole. What a crash leaves lies in tmp, its lock free: `removeLeftovers` finds it.
 * HEX is the SHA-256 of the unpacked archive (OCI's diff ID), so the same content packed otherwise is the same layer.
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
  RENAME_NOREPLACE,
  statAt,
  statFd,
  toCText,
} from "../kernel/fs.ts";
import { removeTreeAt } from "../kernel/remove_tree.ts";
import { KernelError } from "../kernel/syscall.ts";
import { extractArchive, type ExtractOptions } from "./extract.ts";
import { makeInitLayer } from "./init_layer.ts";
import { type LayerRecord, parseLayerRecord } from "./layer_record.ts";
import { type ArchiveSource, openArchive } from "./source.ts";
import { SourceIndex } from "./source_index.ts";

/** An unpacked root filesystem, ready to be used read-only. */
export interface StoredLayer {
  /** `sha256:HEX` of the unpacked archive. */
  readonly diffId: string;
  /** Absolute path of the files. */
  readonly rootfs: string;
  /** Absolute path of a directory with the mount points that `rootfs` lacks: a lower layer above it. */
  readonly init: string | undefined;
  /** Was it unpacked just now? */
  readonly isNew: boolean;
  /** What the user should know of the import; empty when nothing was imported. */
  readonly warnings: readonly string[];
}

/** Seconds after which the kernel has written a layer back by itself (dirty_expire_centisecs is 30 s). */
const SETTLED_SECONDS = 60;
const JSON_LIMIT = 1 << 20;

/** A data root's layers. Dispose of it to close its descriptors. */
export class LayerStore implements Disposable {
  /** @param dataRoot absolute path of the data root. */
  private constructor(readonly dataRoot: string, private readonly layers: Fd) {}

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
      return new LayerStore(path, openDirectory(`${path}/layers`));
    } catch (error) {
      throw explainStore(path, error);
    }
  }

  /**
   * The layer of an archive where it is imported already; makes nothing, reads the beginning of the archive alone, and
   * needs no root where the store can be read.
   *
   * @throws PaddockError for what can be no root filesystem, told by its first bytes.
   */
  static async peek(dataRoot: string, source: string): Promise<StoredLayer | undefined> {
    using archive = openArchive(source);
    if (!archive.isRegular) return undefined;
    await archive.chunks().next();
    const fd = calls.openat(AT.FDCWD, toCText(`${dataRoot}/layers`), O.RDONLY | O.DIRECTORY | O.CLOEXEC);
    if (fd < 0) return undefined;
    using store = new LayerStore(dataRoot, new Fd(fd));
    const known = SourceIndex.peek(fd, archive.stat);
    const record = known === undefined ? undefined : store.readRecord(known);
    return record === undefined ? undefined : store.#describe(parseDiffId(record.diffId), record, false, []);
  }

  [Symbol.dispose](): void {
    this.layers.close();
  }

  /**
   * The layer of an archive, imported unless it is known by its inode, size and times. Processes that import the same
   * file at the same time do the work once.
   *
   * @param source path of the archive, `-` for standard input.
   * @throws PaddockError for what cannot be read, unpacked or stored; nothing half-made stays.
   */
  async lookupOrImport(source: string, options: ExtractOptions = {}): Promise<StoredLayer> {
    using archive = openArchive(source);
    if (!archive.isRegular) return await this.#import(archive, options);
    using index = this.#openIndex(archive);
    const known = index.read(archive.stat);
    const layer = known === undefined ? undefined : this.find(known);
    if (layer !== undefined) return layer;
    try {
      const imported = await this.#import(archive, options);
      index.write(archive.stat, imported.diffId);
      return imported;
    } catch (error) {
      index.remove();
      throw error;
    }
  }

  /** A layer that is there and can be trusted, or `undefined`. @param diffId `sha256:HEX` */
  find(diffId: string): StoredLayer | undefined {
    const hex = parseDiffId(diffId);
    const record = this.#readRecord(hex);
    if (record === undefined) return undefined;
    if (!record.durable && !this.#settle(hex, record)) return undefined;
    return this.#describe(hex, record, false, []);
  }

  /** The record of a layer: size, source, config. `undefined` when there is none. */
  readRecord(diffId: string): LayerRecord | undefined {
    return this.#readRecord(parseDiffId(diffId));
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

  /** Removes a layer. The caller sees to it that no container uses it. */
  remove(diffId: string): void {
    const hex = parseDiffId(diffId);
    const temporary = makeTemporaryName();
    // Out of sight by one rename first: a removal that is cut short leaves a leftover, not half a layer.
    const from = toCText(`sha256/${hex}`);
    const result = calls.renameat2(this.layers.number, from, this.layers.number, toCText(`tmp/${temporary}`), 0);
    if (result === -E.NOENT) return;
    check(`layer ${hex}`, "renameat2", result);
    this.#removeTemporary(temporary);
  }

  async #import(archive: ArchiveSource, options: ExtractOptions): Promise<StoredLayer> {
    try {
      const { name, directory } = this.#makeTemporary();
      using _lock = directory;
      try {
        const { record, warnings } = await this.#unpack(archive, directory, options);
        Deno.writeTextFileSync(`${this.dataRoot}/layers/tmp/${name}/layer.json`, `${JSON.stringify(record)}\n`, {
          mode: 0o600,
        });
        return this.#publish(name, record, warnings);
      } finally {
        // After success the name is gone already.
        this.#removeTemporary(name);
      }
    } catch (error) {
      throw explainStore(this.dataRoot, error);
    }
  }

  async #unpack(
    archive: ArchiveSource,
    directory: Fd,
    options: ExtractOptions,
  ): Promise<{ record: LayerRecord; warnings: readonly string[] }> {
    using rootfs = makeDirectory(directory.number, "rootfs", 0o755);
    const { diffId, bytes, entries, unpackedBytes, warnings } = await extractArchive(archive, rootfs.number, options);
    if (archive.hasChanged()) {
      throw new PaddockError(`"${archive.name}" changed while it was read`, { hint: "wait until it is complete" });
    }
    const hasInit = makeInitLayer(rootfs.number, directory.number, "init");
    const created = new Date().toISOString();
    const origin = { source: archive.name, created, durable: false, bootId: readBootId() };
    return { record: { diffId, bytes, entries, unpackedBytes, hasInit, ...origin }, warnings };
  }

  #publish(name: string, record: LayerRecord, warnings: readonly string[]): StoredLayer {
    const hex = parseDiffId(record.diffId);
    const fd = this.layers.number;
    const from = toCText(`tmp/${name}`);
    const to = toCText(`sha256/${hex}`);
    let result = calls.renameat2(fd, from, fd, to, RENAME_NOREPLACE);
    // Another process was faster, or the one that is there was made before a power loss.
    if (result === -E.EXIST || result === -E.NOTEMPTY) {
      const there = this.find(record.diffId);
      if (there !== undefined) return { ...there, isNew: true, warnings };
      this.remove(record.diffId);
      result = calls.renameat2(fd, from, fd, to, RENAME_NOREPLACE);
    }
    check(`layer ${hex}`, "renameat2", result);
    return this.#describe(hex, record, true, warnings);
  }

  #describe(hex: string, record: LayerRecord, isNew: boolean, warnings: readonly string[]): StoredLayer {
    const path = `${this.dataRoot}/layers/sha256/${hex}`;
    return {
      diffId: `sha256:${hex}`,
      rootfs: `${path}/rootfs`,
      init: record.hasInit ? `${path}/init` : undefined,
      isNew,
      warnings,
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
    return parseLayerRecord(text, `sha256:${hex}`);
  }

  #openIndex(archive: ArchiveSource): SourceIndex {
    try {
      return SourceIndex.open(this.layers.number, archive.stat);
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

function makeTemporaryName(): string {
  const random = crypto.getRandomValues(new Uint8Array(8));
  return `${Deno.pid}-${[...random].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** The HEX of `sha256:HEX`; nothing else ever becomes part of a path. @throws PaddockError */
function parseDiffId(diffId: string): string {
  const match = /^sha256:([0-9a-f]{64})$/.exec(diffId);
  if (match === null) {
    throw new PaddockError(`"${diffId}" is not a digest: sha256 and 64 hexadecimal digits are wanted`);
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
