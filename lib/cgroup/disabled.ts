/**
 * A container without cgroups, for a host that has none: the same interface, and nothing in it.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Resources } from "../spec/config.ts";
import type { CgroupActs } from "./acts.ts";

/**
 * Nothing, for resources that ask for nothing. Rules of devices are in every configuration, and are held in another way:
 * the container can make no nodes then.
 *
 * @throws PaddockError where there is a limit to be held.
 */
export function planDisabled({ devices: _, ...limits }: Resources): CgroupActs {
  const [asked] = Object.entries(limits).filter(([, value]) => isSaid(value)).map(([name]) => name);
  if (asked === undefined) return DISABLED;
  throw new PaddockError(`linux.resources.${asked}: a container without a cgroup has no limits`, {
    hint: "leave it out, or leave --cgroup-manager disabled out",
  });
}

function isSaid(value: unknown): boolean {
  if (typeof value === "object" && value !== null) return Object.values(value).some(isSaid);
  return value !== undefined && value !== 0 && value !== false && value !== "";
}

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
