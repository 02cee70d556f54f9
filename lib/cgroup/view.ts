/**
 * What a container sees in /sys/fs/cgroup: its own cgroup as the root of each hierarchy, through its cgroup namespace.
 * In the host's cgroup namespace a new mount would show the whole hierarchy, and a user namespace may not make one: there
 * the directory of its own cgroup is bound, of v1; of v2 all is shown, for there paths in /proc/self/cgroup are looked
 * up below it.
 *
 * @module
 */
import type { Facts } from "../host/facts.ts";
import type { CgroupActs } from "./acts.ts";

/** How the mount builder fills /sys/fs/cgroup. */
export type CgroupView =
  | { readonly kind: "none" }
  | { readonly kind: "cgroup2"; readonly source?: string }
  | { readonly kind: "tmpfs+v1"; readonly entries: readonly ViewEntry[]; readonly links: readonly ViewLink[] };

/** One hierarchy in a directory below the tmpfs: `mount -t TYPE -o OPTIONS cgroup DIRECTORY`. */
export interface ViewEntry {
  readonly directory: string;
  readonly type: "cgroup" | "cgroup2";
  /** Data of the mount call; empty for cgroup2. */
  readonly options: string;
  /** The directory of the host that is bound there, in place of a mount of the hierarchy. */
  readonly source?: string;
}

/** A name beside the directories, as systemd makes them: `cpu` → `cpu,cpuacct`. */
export interface ViewLink {
  readonly name: string;
  readonly target: string;
}

/**
 * The hierarchies that the container joined, or, without `acts`, all of this host.
 *
 * One that it did not join is left out: in there it would see the host's own cgroups, for its namespace begins where it
 * stands.
 *
 * @param hasNamespace whether the container has a cgroup namespace of its own.
 */
export function viewMounts(facts: Facts, acts?: Pick<CgroupActs, "paths">, hasNamespace = true): CgroupView {
  const { controllers, unified } = facts.cgroup;
  const bound = (mount: string, path = mount) => hasNamespace ? {} : { source: path };
  const ownOf = (mount: string) => acts?.paths.filter((path) => path.startsWith(`${mount}/`)).at(-1);
  const isJoined = (mount: string): boolean =>
    acts === undefined || acts.paths.some((path) => path.startsWith(`${mount}/`) && isClosest(mount, path, facts));
  const old = new Map<string, readonly string[]>();
  for (const [name, { version, mount, joint }] of Object.entries(controllers)) {
    if (version === 1 && isJoined(mount)) old.set(mount, joint ?? [name]);
  }
  const hasUnified = unified !== undefined && isJoined(unified.mount);
  if (old.size === 0) return hasUnified ? { kind: "cgroup2", ...bound(unified.mount) } : { kind: "none" };
  const entries = [...old].map(([mount, joint]): ViewEntry => {
    const options = joint.join(",");
    return { directory: options, type: "cgroup", options, ...bound(mount, ownOf(mount)) };
  });
  const { named } = facts.cgroup;
  if (named !== undefined && isJoined(named.mount)) {
    const options = "none,name=systemd";
    entries.push({ directory: "systemd", type: "cgroup", options, ...bound(named.mount, ownOf(named.mount)) });
  }
  if (hasUnified) {
    entries.push({ directory: "unified", type: "cgroup2", options: "", ...bound(unified.mount, ownOf(unified.mount)) });
  }
  const links = [...old.values()].flatMap((joint) =>
    joint.length < 2 ? [] : joint.map((name): ViewLink => ({ name, target: joint.join(",") }))
  );
  return { kind: "tmpfs+v1", entries, links };
}

/** True where no other hierarchy is mounted between `mount` and `path`: v2 may lie at /sys/fs/cgroup with v1 below it. */
function isClosest(mount: string, path: string, { cgroup }: Facts): boolean {
  const others = Object.values(cgroup.controllers).map((fact) => fact.mount);
  return ![...others, cgroup.unified?.mount ?? mount].some((other) =>
    other.length > mount.length && path.startsWith(`${other}/`)
  );
}
