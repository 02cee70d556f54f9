/**
 * A compiled launcher may be carried to another host: it looks first whether that is like the one it was made for.
 *
 * @module
 */
import { errnoNumber } from "../base/errno.ts";
import type { Facts, Feature } from "../host/facts.ts";
import { type Act, previous, type Region, type Step, step, text } from "../program/step.ts";

/** `struct statfs` is 120 bytes; its first word is the type of the filesystem (`man 2 statfs`). */
export const HOST_CHECK_REGIONS: Readonly<Record<string, Region>> = { statfs: { size: 120 } };

const MAGIC: Readonly<Record<1 | 2, number>> = { 1: 0x27e0eb, 2: 0x63677270 };

/** Calls that this plan uses because the host had them, and calls of each that fail in another way than by being absent. */
const PROBES: readonly (readonly [Feature, string, readonly number[]])[] = [
  ["openat2", "openat2", [-1, 0, 0, 0]],
  ["open_tree", "open_tree", [-1, 0, 0]],
  ["mount_setattr", "mount_setattr", [-1, 0, 0, 0, 0]],
];

/**
 * Acts that fail on a host where the hierarchies of cgroups are others, or the kernel lacks what the plan was made with.
 *
 * @param cgroupPaths directories of the container's cgroups.
 */
export function planHostCheck(facts: Facts, cgroupPaths: readonly string[]): Act[] {
  const mounts = [...new Map(cgroupPaths.map((path) => hierarchyOf(path, facts))).entries()];
  return [
    ...PROBES.filter(([feature]) => facts.has[feature]).map(([, call, args]) => checkCall(call, args)),
    ...mounts.map(([mount, version]) => checkHierarchy(mount, version)),
  ];
}

function hierarchyOf(path: string, { cgroup }: Facts): readonly [mount: string, version: 1 | 2] {
  const known = Object.values(cgroup.controllers).map(({ mount, version }) => [mount, version] as const);
  const all = cgroup.unified === undefined ? known : [...known, [cgroup.unified.mount, 2] as const];
  const around = all.filter(([mount]) => path.startsWith(`${mount}/`));
  return around.reduce((longest, found) => found[0].length > longest[0].length ? found : longest);
}

const WHY = "this program was compiled for a host that had it, and its steps follow from that";

function checkCall(call: string, args: readonly number[]): Act {
  return {
    what: `run here: it was compiled for a kernel that has ${call}`,
    why: WHY,
    shell: [],
    steps: [
      // Any other failure says that the call is there.
      step(call, args, { onNegative: "next", onZero: "end", onPositive: "end" }),
      step("@add", [previous(), errnoNumber("ENOSYS")], { onNegative: "end", onPositive: "end" }),
      refuse("ENOSYS"),
    ],
  };
}

function checkHierarchy(mount: string, version: 1 | 2): Act {
  return {
    what: `run here: it was compiled for a host with cgroup v${version} at ${mount}`,
    why: WHY,
    shell: [`[ "$(stat -f -c %t ${mount})" = ${MAGIC[version].toString(16)} ]`],
    steps: [
      step("statfs", [text(mount), { region: "statfs" }]),
      step("@sub", [{ load: "statfs" }, MAGIC[version]], { onZero: "end" }),
      refuse("EMEDIUMTYPE"),
    ],
  };
}

/** A step that fails with an error of our choice. */
function refuse(error: string): Step {
  return step("@sub", [0, errnoNumber(error)], { onNegative: "launcher.fault" });
}
