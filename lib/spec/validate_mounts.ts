/**
 * Checks of mounts (runtime-spec config.md, Mounts).
 *
 * @module
 */
import type { Config, IdMapping, Mount } from "./config.ts";
import { type Check, type Finding, finding } from "./finding.ts";
import { checkMap } from "./validate_namespaces.ts";

/** The rules for `mounts`. */
export const MOUNT_CHECKS: readonly Check[] = [checkMounts, checkShiftedMounts];

/** Mounts need a target below the root, and a bind mount a source. */
function checkMounts({ mounts }: Config): Finding[] {
  return mounts.flatMap(({ destination, type, source, options }, index) => [
    ...(destination.split("/").includes("..")
      ? [finding(`mounts[${index}].destination`, `'${destination}' has '..' in it`)]
      : []),
    ...(/^\/*(\.?\/*)*$/.test(destination)
      ? [finding(`mounts[${index}].destination`, "the root itself is no target")]
      : []),
    ...(isBind(type, options) && !source?.startsWith("/")
      ? [finding(`mounts[${index}].source`, `a bind mount needs an absolute source, not '${source ?? ""}'`)]
      : []),
  ]);
}

/** True for a mount of a part of the host. */
export function isBind(type: string | undefined, options: readonly string[] = []): boolean {
  return type === "bind" || options.includes("bind") || options.includes("rbind");
}

/** A mount with owners of its own needs both maps, and a source to show: a bind mount's. */
function checkShiftedMounts(config: Config): Finding[] {
  return config.mounts.flatMap((mount, index) => {
    const { type, options = [], uidMappings, gidMappings } = mount;
    const path = `mounts[${index}]`;
    if (!isShifted(mount)) return [];
    return [
      ...(isBind(type, options)
        ? []
        : [finding(path, `a ${type ?? "mount"} cannot have owners mapped here; bind mounts can`)]),
      ...checkMaps(path, uidMappings, gidMappings),
      ...(uidMappings === undefined && gidMappings === undefined && !ownsMaps(config)
        ? [finding(`${path}.uidMappings`, "'idmap' without maps means those of the user namespace, and there is none")]
        : []),
    ];
  });
}

/** True where a mount's owners are mapped, by maps of its own or by the words `idmap` and `ridmap`. */
export function isShifted({ options = [], uidMappings, gidMappings }: Mount): boolean {
  return uidMappings !== undefined || gidMappings !== undefined || options.includes("idmap") ||
    options.includes("ridmap");
}

function ownsMaps({ linux: { uidMappings = [], gidMappings = [] } }: Config): boolean {
  return uidMappings.length > 0 && gidMappings.length > 0;
}

function checkMaps(path: string, uids?: readonly IdMapping[], gids?: readonly IdMapping[]): Finding[] {
  if (uids === undefined && gids === undefined) return [];
  const one = (name: string, map: readonly IdMapping[] | undefined): Finding[] =>
    map === undefined || map.length === 0
      ? [finding(`${path}.${name}`, "maps of users and of groups come together, and neither is empty")]
      : checkMap(`${path}.${name}`, map);
  return [...one("uidMappings", uids), ...one("gidMappings", gids)];
}
