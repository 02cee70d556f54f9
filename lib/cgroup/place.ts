/**
 * Where a container's cgroups are: `linux.cgroupsPath` (runtime-spec config-linux.md, Cgroups Path).
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { CgroupRequest } from "./acts.ts";

/** What of a container decides about the place. */
export interface PlaceOptions {
  readonly id: string;
  readonly cgroupsPath?: string | undefined;
  /** Where the path says nothing. */
  readonly parent?: string | undefined;
  /** True for one made from a bundle: no launcher lives as long as it, and so what gc takes for an orphan it is none. */
  readonly fromBundle?: boolean;
}

/**
 * An absolute path is below each hierarchy's mount point; a relative one is below `paddock` there; none is `paddock/ID`.
 * For a bundle it is `paddock.bundles` in place of `paddock`.
 *
 * @throws PaddockError for the form of the systemd driver, which this is not.
 */
export function placeCgroup(
  { id, cgroupsPath = "", parent, fromBundle = false }: PlaceOptions,
): Pick<CgroupRequest, "name" | "parent"> {
  const top = fromBundle ? "paddock.bundles" : "paddock";
  const own = `${top}/${id}`;
  if (cgroupsPath === "") return { name: own, ...(parent === undefined ? {} : { parent }) };
  if (isSystemdPath(cgroupsPath)) {
    throw new PaddockError(
      `linux.cgroupsPath: '${cgroupsPath}' is of the form slice:prefix:name, for the systemd driver`,
      {
        hint: "give a path such as /batch/web, or tell the caller to use the cgroupfs driver",
      },
    );
  }
  if (!cgroupsPath.startsWith("/")) return { name: cgroupsPath, parent: `/${top}` };
  if (cgroupsPath.endsWith(`/${own}`)) return { name: own, parent: cgroupsPath.slice(0, -own.length - 1) || "/" };
  const slash = cgroupsPath.replace(/\/+$/, "").lastIndexOf("/");
  return { name: cgroupsPath.slice(slash + 1), parent: cgroupsPath.slice(0, slash) || "/" };
}

/** A cgroup by the names that systemd gives it. */
export interface SystemdPath {
  /** "" is the default: `system.slice`, or `user.slice` of a user. */
  readonly slice: string;
  readonly prefix: string;
  readonly name: string;
}

/**
 * Reads `slice:prefix:name`.
 *
 * @throws PaddockError where it has another form
 */
export function parseSystemdPath(cgroupsPath: string): SystemdPath {
  const parts = cgroupsPath.split(":");
  const [slice = "", prefix = "", name = ""] = parts;
  if (parts.length !== 3 || name === "" || cgroupsPath.includes("/") || (slice !== "" && !slice.endsWith(".slice"))) {
    throw new PaddockError(
      `expected cgroupsPath to be of format "slice:prefix:name" for systemd cgroups, got "${cgroupsPath}" instead`,
    );
  }
  return { slice, prefix, name };
}

function isSystemdPath(cgroupsPath: string): boolean {
  try {
    parseSystemdPath(cgroupsPath);
    return true;
  } catch {
    return false;
  }
}
