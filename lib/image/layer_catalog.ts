/**
 * What layers a store has, and which of them can be trusted.
 *
 * Data is not synced before a layer appears, as that would double the time of an import. Instead the layer notes the boot
 * it was made in, and is trusted during that boot, when the page cache is the truth; it is synced when it is used a
 * minute or more later, when that costs nothing. After a power loss in between it is made again.
 *
 * @module
 */
import * as calls from "../kernel/file_calls.ts";
import { listDirectory, O, openAt } from "../kernel/fs.ts";
import { isDigest } from "./content_digest.ts";
import { layerPath, parseChainId } from "./layer_names.ts";
import { type LayerRecord, parseLayerRecord } from "./layer_record.ts";
import { explainStore } from "./store_errors.ts";

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

/** Seconds after which the kernel has written a layer back by itself (dirty_expire_centisecs is 30 s). */
const SETTLED_SECONDS = 60;
const JSON_LIMIT = 1 << 20;

/** The layers that are there. */
export class LayerCatalog {
  /** @param layers descriptor of the store's `layers`; stays the caller's. */
  constructor(private readonly dataRoot: string, private readonly layers: number) {}

  /** A layer that is there, all below it too, and can be trusted, or `undefined`. @param chainId `sha256:HEX` */
  find(chainId: string): StoredLayer | undefined {
    for (let at: string | undefined = chainId; at !== undefined;) {
      const record: LayerRecord | undefined = this.readRecord(at);
      if (record === undefined || (!record.durable && !this.#settle(at, record))) return undefined;
      at = record.parent;
    }
    return this.describe(chainId);
  }

  /** A layer that is there, all below it too, whether it can be trusted or not. */
  describe(chainId: string): StoredLayer | undefined {
    const lower: string[] = [];
    const top = this.readRecord(chainId);
    for (let at: string | undefined = chainId; at !== undefined;) {
      const record: LayerRecord | undefined = at === chainId ? top : this.readRecord(at);
      if (record === undefined) return undefined;
      lower.push(`${layerPath(this.dataRoot, at)}/rootfs`);
      at = record.hidesAll ? undefined : record.parent;
    }
    const init = top!.hasInit ? `${layerPath(this.dataRoot, chainId)}/init` : undefined;
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

  /** The record of a layer: size, source, config. `undefined` when there is none. */
  readRecord(chainId: string): LayerRecord | undefined {
    let text: string;
    try {
      const path = `${layerPath(this.dataRoot, chainId)}/layer.json`;
      if (Deno.statSync(path).size > JSON_LIMIT) return undefined;
      text = Deno.readTextFileSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw explainStore(this.dataRoot, error);
    }
    const record = parseLayerRecord(text);
    return record?.parent === undefined && record?.diffId !== `sha256:${parseChainId(chainId)}` ? undefined : record;
  }

  /** The names of all layers, each behind those below it. */
  list(): string[] {
    using directory = openAt(this.layers, "sha256", O.RDONLY | O.DIRECTORY | O.NOFOLLOW);
    const ids = listDirectory(directory.number).map(({ name }) => `sha256:${name}`).filter(isDigest);
    const depths = new Map(ids.map((id) => [id, this.#depthOf(id)] as const));
    return ids.sort((a, b) => depths.get(a)! - depths.get(b)!);
  }

  #depthOf(chainId: string): number {
    let depth = 0;
    for (let at: string | undefined = chainId; at !== undefined; depth++) at = this.readRecord(at)?.parent;
    return depth;
  }

  /** Is a layer that was not synced to be trusted? Syncs it once it has settled. */
  #settle(chainId: string, record: LayerRecord): boolean {
    if (record.bootId !== readBootId()) return false;
    if (Date.now() - Date.parse(record.created) < SETTLED_SECONDS * 1000) return true;
    if (calls.syncfs(this.layers) < 0) return true;
    const path = `${layerPath(this.dataRoot, chainId)}/layer.json`;
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
}

/** Which boot this is: what was written in it and not synced is in the page cache. */
export function readBootId(): string {
  return Deno.readTextFileSync("/proc/sys/kernel/random/boot_id").trim();
}
