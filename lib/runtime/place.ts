/**
 * Where a container will live.
 *
 * @module
 */
import type { Detachment } from "../plan/detachment.ts";
import type { NetworkActs, Setting } from "../plan/setting.ts";
import type { Attachment } from "../spec/network.ts";

/** A network that a container is connected with, or whose namespace it joins. */
export interface PlacedNetwork {
  /** A network namespace to join. */
  readonly path?: string;
  readonly acts?: NetworkActs;
  readonly attachment?: Attachment;
  /** A file of the host that is its `/etc/hosts`. */
  readonly hostsFile?: string;
  /** For an `/etc/hosts` of its own alone. */
  readonly addresses: readonly string[];
}

/** Where a container will live, and how it ends. */
export interface Place {
  readonly id: string;
  readonly name: string;
  readonly stateDir: string;
  /** The container's own directory in the data root, or beside the directory that keeps its changes. */
  readonly dataDir: string;
  readonly prepared: boolean;
  /** What an overlaid container writes is kept in memory, and nobody has to remove it. */
  readonly inMemory?: true;
  readonly keep: boolean;
  /** Where nobody waits for it. */
  readonly detachment?: Detachment;
  readonly finish?: Setting["finish"];
  /** Its network, where that is none of its own alone. */
  readonly network?: PlacedNetwork;
}
