/**
 * `layer.json`: what the store knows of a layer. Pure.
 *
 * @module
 */

/** Facts of a layer. */
export interface LayerRecord {
  /** `sha256:HEX` of the unpacked archive. */
  readonly diffId: string;
  /** Chain ID of the layer below; absent for the lowest, and for a whole root filesystem. */
  readonly parent?: string;
  /** True for a layer of an image, in which whiteouts mean something; absent for a whole root filesystem. */
  readonly isLayer?: boolean;
  /** True where nothing of the layers below is seen. */
  readonly hidesAll?: boolean;
  /** Bytes of file data. */
  readonly bytes: number;
  readonly entries: number;
  /** Bytes of the unpacked archive. */
  readonly unpackedBytes: number;
  /** The file as the user named it. */
  readonly source: string;
  /** ISO 8601. */
  readonly created: string;
  /** Is there a directory of missing mount points? */
  readonly hasInit: boolean;
  /** Is it known to be on disk, whatever happens to the power? */
  readonly durable: boolean;
  /** `/proc/sys/kernel/random/boot_id` of when it was made. */
  readonly bootId: string;
}

const NUMBERS = ["bytes", "entries", "unpackedBytes"] as const;
const STRINGS = ["diffId", "source", "created", "bootId"] as const;
const FLAGS = ["hasInit", "durable"] as const;

/** Reads a record; `undefined` for anything that is not one, as after a power loss. */
export function parseLayerRecord(text: string): LayerRecord | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null) return undefined;
  const record = value as Record<string, unknown>;
  const isRecord = NUMBERS.every((key) => typeof record[key] === "number") &&
    STRINGS.every((key) => typeof record[key] === "string") &&
    FLAGS.every((key) => typeof record[key] === "boolean");
  const hasParent = record.parent === undefined || typeof record.parent === "string";
  return isRecord && hasParent ? value as LayerRecord : undefined;
}
