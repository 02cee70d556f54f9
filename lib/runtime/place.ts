/**
 * Where a container will live.
 *
 * @module
 */
import type { Setting } from "../plan/setting.ts";

/** Where a container will live, and how it ends. */
export interface Place {
  readonly id: string;
  readonly name: string;
  readonly stateDir: string;
  /** The container's own directory in the data root, or beside the directory that keeps its changes. */
  readonly dataDir: string;
  readonly prepared: boolean;
  readonly keep: boolean;
  readonly finish?: Setting["finish"];
}
