/**
 * Rules of devices as properties of a unit: `DevicePolicy` and `DeviceAllow` (`man 5 systemd.resource-control`).
 *
 * @module
 */
import type { DeviceRule } from "../spec/config.ts";
import type { Property, Value } from "../systemd/value.ts";
import { completeRules, type Exception, formatAccess, toExceptions } from "./devices.ts";

/** Names that stand for one major number each, by type: `groups.c.get(136)` is "pts". */
export type DeviceGroups = Readonly<Record<"b" | "c", ReadonlyMap<number, string>>>;

/** Reads `/proc/devices`. */
export function parseDeviceGroups(text: string): DeviceGroups {
  const [characters = "", blocks = ""] = text.split(/^Block devices:$/m);
  return { c: readGroups(characters), b: readGroups(blocks) };
}

/** A name of several numbers would allow more than was asked for. */
function readGroups(text: string): ReadonlyMap<number, string> {
  const all = [...text.matchAll(/^\s*(\d+) ([\w-]+)$/gm)].map(([, major, name]) => [Number(major), name!] as const);
  return new Map(all.filter(([, name]) => all.filter(([, other]) => other === name).length === 1));
}

/**
 * The rules as systemd holds them. It knows only what is allowed: where that does not come to the same it holds nothing,
 * and the rules in the cgroup itself are the ones that hold. Its own would forbid what was to be allowed.
 */
export function listDeviceProperties(asked: readonly DeviceRule[] | undefined, groups: DeviceGroups): Property[] {
  const list = toExceptions(completeRules(asked));
  const lines = list.exceptions.map((exception) => allow(exception, groups));
  const holds = list.default === "deny" && list.inexpressible.length === 0 && !lines.includes(undefined);
  return [
    { name: "DevicePolicy", signature: "s", value: holds ? "strict" : "auto" },
    { name: "DeviceAllow", signature: "a(ss)", value: holds ? lines as Value[] : [] },
  ];
}

/** A path and an access; `undefined` where systemd has no words for it. */
function allow({ type, major, minor, access }: Exception, groups: DeviceGroups): Value | undefined {
  const [kind, letters] = [type === "c" ? "char" : "block", formatAccess(access)];
  if (major !== undefined && minor !== undefined) return [`/dev/${kind}/${major}:${minor}`, letters];
  if (minor !== undefined) return undefined;
  if (major === undefined) return [`${kind}-*`, letters];
  const group = groups[type].get(major);
  return group === undefined ? undefined : [`${kind}-${group}`, letters];
}
