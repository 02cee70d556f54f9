/**
 * A container without cgroups, for a host that has none: the same interface, and nothing in it.
 *
 * @module
 */
import type { CgroupActs } from "./acts.ts";

/** No directories, nothing to enter, nothing to remove, nothing that freezes. */
export const DISABLED: CgroupActs = {
  regions: {},
  create: [],
  join: [],
  remove: [],
  paths: [],
  freeze: undefined,
  thaw: undefined,
  confinesDevices: false,
  unified: undefined,
};
