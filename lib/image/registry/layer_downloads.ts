/**
 * The layers of an image that is pulled: some at a time are downloaded ahead, in the order in which they are unpacked,
 * and each waits in a file until it is its turn.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import type { Fd } from "../../kernel/fd.ts";
import { statFd } from "../../kernel/fs.ts";
import { chainIdOf } from "../chain_id.ts";
import type { ContentDigest } from "../content_digest.ts";
import { DownloadDirectory } from "../download_directory.ts";
import type { LayerFiles } from "../image_files.ts";
import { notePacked } from "../image_origin.ts";
import type { ImageStore } from "../image_store.ts";
import type { Descriptor } from "../manifest.ts";
import type { ArchiveSource } from "../source.ts";
import { openLayerAside } from "../unpacking_thread.ts";
import { downloadBlob } from "./download.ts";
import type { RegistrySession } from "./session.ts";

/** Told how far one layer is. */
export interface LayerReport {
  /** It is in the store. */
  there(): void;
  downloading(bytes: number): void;
  downloaded(): void;
  /** @param share 0 to 1 */
  unpacking(share: number): void;
  unpacked(): void;
}

/** Downloads at a time, as docker has it. */
const AT_ONCE = 3;
/** Milliseconds after which an extraction lets downloads go on. */
const TURN = 8;

interface Layer {
  readonly blob: Descriptor;
  readonly what: string;
  /** Names of the unpacked layers that it becomes; several where a blob comes more than once in an image. */
  readonly chainIds: Set<string>;
  readonly report: LayerReport;
  /** Layers that are still to be unpacked from it. */
  uses: number;
  whole: Promise<void> | undefined;
}

/** Layers by their blob. Dispose of it to end what is still under way. */
export class LayerDownloads implements LayerFiles, Disposable {
  readonly #layers = new Map<ContentDigest, Layer>();
  #running = 0;
  #waiting: (() => void)[] = [];
  #current: Layer | undefined;
  #isOver = false;
  /** Unpacked; their blobs still lie there. */
  readonly #done: Layer[] = [];

  private constructor(
    private readonly store: ImageStore,
    readonly name: string,
    private readonly sessions: readonly RegistrySession[],
    private readonly directory: DownloadDirectory,
  ) {}

  /** Begins to download what the store does not have. @param diffIds of the layers, as the configuration has them. */
  static async begin(
    store: ImageStore,
    name: string,
    sessions: readonly RegistrySession[],
    blobs: readonly Descriptor[],
    diffIds: readonly ContentDigest[],
    report: { layer(digest: ContentDigest, size: number): LayerReport },
  ): Promise<LayerDownloads> {
    const downloads = new LayerDownloads(
      store,
      name,
      sessions,
      DownloadDirectory.open(`${store.dataRoot}/layers`),
    );
    let chainId: string | undefined;
    for (const [i, blob] of blobs.entries()) {
      chainId = await chainIdOf(chainId, diffIds[i]!);
      const layer = downloads.#layers.get(blob.digest) ?? {
        blob,
        what: `"${name}": layer ${i + 1} of ${blobs.length}`,
        chainIds: new Set<string>(),
        report: report.layer(blob.digest, blob.size),
        uses: 0,
        whole: undefined,
      };
      downloads.#layers.set(blob.digest, layer);
      if (store.layers.find(chainId) !== undefined) continue;
      layer.chainIds.add(chainId);
      layer.uses++;
    }
    downloads.#start();
    return downloads;
  }

  /** All is well: blobs that were unpacked are kept, for the image to be pushed as it came. */
  keep(): void {
    for (const { blob, chainIds } of this.#done.splice(0)) {
      if (!this.directory.keep(blob.digest, this.store.dataRoot)) continue;
      for (const chainId of chainIds) notePacked(this.store.dataRoot, chainId, blob);
    }
  }

  /** What has not begun does not begin; what is under way ends with the process. */
  [Symbol.dispose](): void {
    this.#isOver = true;
    this.#waiting.forEach((go) => go());
    for (const { blob } of this.#done) this.directory.remove(blob.digest);
    this.#closeLast();
  }

  /** What is still under way needs the directory. */
  #closeLast(): void {
    if (this.#isOver && this.#running === 0) this.directory[Symbol.dispose]();
  }

  /** The layer that is being unpacked is so far. */
  unpacked(done: number, total: number | undefined): void {
    this.#current?.report.unpacking(done / Math.max(total ?? done, 1));
  }

  async openLayer(_path: string, _what: string, digest?: ContentDigest): Promise<ArchiveSource> {
    const layer = this.#layers.get(digest!)!;
    let file: Fd | undefined;
    while (file === undefined) {
      await (layer.whole ??= this.#download(layer));
      file = this.directory.openWhole(digest!);
      // Another process has unpacked it, and failed: it is not there any more.
      if (file === undefined) layer.whole = undefined;
    }
    this.#current = layer;
    return await this.#openFile(layer, file);
  }

  async #openFile(layer: Layer, file: Fd): Promise<ArchiveSource> {
    const { size } = statFd(file.number, layer.what);
    // It was hashed while it came; what it unpacks to is hashed again.
    const source = await openLayerAside({ name: layer.what, fd: file.number, offset: 0, size });
    const chunks = source.chunks.bind(source);
    source.chunks = () => taking(chunks());
    const end = source[Symbol.dispose].bind(source);
    source[Symbol.dispose] = () => {
      end();
      file.close();
      layer.uses--;
      if (layer.uses <= 0) this.#done.push(layer);
      this.#current = undefined;
      layer.report.unpacked();
    };
    return source;
  }

  #start(): void {
    for (const layer of this.#layers.values()) {
      if (layer.uses === 0) {
        layer.report.there();
        continue;
      }
      layer.whole = this.#download(layer);
      // It is waited for when it is its turn.
      layer.whole.catch(() => {});
    }
  }

  async #download(layer: Layer): Promise<void> {
    if (this.#running >= AT_ONCE) await new Promise<void>((go) => this.#waiting.push(go));
    this.#running++;
    try {
      if (!this.#isOver) await this.#downloadNow(layer);
    } finally {
      this.#running--;
      this.#waiting.shift()?.();
      this.#closeLast();
    }
  }

  async #downloadNow({ blob, what, report, chainIds }: Layer): Promise<void> {
    if (this.#isThere(blob.digest)) return report.downloaded();
    using file = await this.directory.openPartial(blob.digest);
    // While we waited another process may have downloaded it, and even unpacked it.
    const isNeeded = [...chainIds].some((chainId) => this.store.layers.find(chainId) === undefined);
    if (!isNeeded || this.#isThere(blob.digest)) {
      file.discard();
      return report.downloaded();
    }
    await this.#fromFirst((session) => downloadBlob(session, blob, file, what, (bytes) => report.downloading(bytes)));
    report.downloaded();
  }

  async #fromFirst(body: (session: RegistrySession) => Promise<void>): Promise<void> {
    for (const [i, session] of this.sessions.entries()) {
      try {
        return await body(session);
      } catch (error) {
        if (!(error instanceof PaddockError) || i === this.sessions.length - 1) throw error;
      }
    }
  }

  #isThere(digest: ContentDigest): boolean {
    const file = this.directory.openWhole(digest);
    file?.close();
    return file !== undefined;
  }
}

/** Hands chunks on, and lets others have a turn now and then. */
async function* taking<T>(chunks: AsyncGenerator<T, void, void>): AsyncGenerator<T, void, void> {
  let since = performance.now();
  for await (const chunk of chunks) {
    yield chunk;
    if (performance.now() - since < TURN) continue;
    await new Promise((done) => setTimeout(done, 0));
    since = performance.now();
  }
}
