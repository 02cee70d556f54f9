/**
 * Who makes a container's cgroups.
 *
 * @module
 */

/** The launcher, as directories; systemd, as a transient scope; nobody. */
export const CGROUP_MANAGERS = ["cgroupfs", "systemd", "disabled"] as const;

export type CgroupManager = typeof CGROUP_MANAGERS[number];
