/**
 * What a tar archive holds, as the reader tells it. Types alone, and the reader's bounds.
 *
 * @module
 */
import type { ByteString } from "../base/byte_string.ts";

/** What an entry is. */
export type EntryType = "file" | "directory" | "symlink" | "hardlink" | "character" | "block" | "fifo";

/** One file of an archive. */
export interface TarEntry {
  /** As it stands in the archive, not checked: may be absolute, or hold `..`. */
  readonly path: ByteString;
  /** Target of a symlink or hard link. */
  readonly linkPath: ByteString;
  readonly type: EntryType;
  /** Permission bits with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file, holes counted; 0 for anything but a file. */
  readonly size: number;
  /** Seconds since the epoch and nanoseconds (0 to 999999999). */
  readonly mtimeSec: number;
  readonly mtimeNsec: number;
  readonly devMajor: number;
  readonly devMinor: number;
  readonly xattrs: readonly { readonly name: ByteString; readonly value: Uint8Array<ArrayBuffer> }[];
  /** The file has holes: only its segments are delivered. */
  readonly sparse: boolean;
}

/** Receives what the archive holds, in its order. */
export interface TarSink {
  /** An entry begins. */
  entry(entry: TarEntry): void;
  /** Data of the entry, valid during the call; `offset` in bytes from the file's beginning, ascending. */
  data(bytes: Uint8Array<ArrayBuffer>, offset: number): void;
  /** The entry is complete. */
  end(): void;
}

/** Bounds on what a header may ask for; an archive is not trusted. */
export interface TarBounds {
  /** Bytes of one pax header. */
  readonly paxBytes: number;
  /** Bytes of a GNU long name. */
  readonly nameBytes: number;
  /** Segments of one sparse file. */
  readonly segments: number;
  /** Header blocks of all kinds in the whole archive. */
  readonly headers: number;
}

/** Generous for real archives. */
export const DEFAULT_BOUNDS: TarBounds = {
  paxBytes: 1 << 20,
  nameBytes: 1 << 16,
  segments: 1 << 20,
  headers: 40_000_000,
};
