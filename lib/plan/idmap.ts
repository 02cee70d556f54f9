/**
 * Bind mounts whose owners are mapped: `uidMappings` and `gidMappings` of a mount, or its options `idmap` and `ridmap`
 * (runtime-spec config.md, Mounts; `man 2 mount_setattr`, "ID-mapped mounts").
 *
 * The maps are told to the kernel by a user namespace that has them, and only the host's root may put them on a mount:
 *
 * ```
 *   launcher                                   helper
 *   clone ───────────────────────────────────▶ in a user namespace of its own, sleeps
 *   write its uid_map and gid_map
 *   open its namespace, end it ──────────────▶ ends; the namespace stays, for it is open
 *   copy the source's mounts, map their owners
 *   clone the container, which has the copies by their descriptors, and attaches them
 * ```
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, flags, previous, type Region, result, step, text } from "../program/step.ts";
import type { Config, IdMapping, Mount } from "../spec/config.ts";
import { isShifted } from "../spec/validate_mounts.ts";
import { holdsCopies, openSource, treeOf } from "./binds.ts";
import { readMountOptions } from "./mount_options.ts";
import { word } from "./targets.ts";
import { findProcess, writeMap } from "./user_namespace.ts";

/**
 * The launcher's acts before the clone; the trees stay open under the labels that `planBind` looks for.
 *
 * @param keyOf the key of the mount of that index
 * @throws PaddockError where this kernel cannot map owners.
 */
export function planShiftedSources(config: Config, facts: Facts, keyOf: (index: number) => string): Act[] {
  const mounts = listShifted(config, keyOf);
  if (mounts.length > 0 && !holdsCopies(facts)) {
    throw new PaddockError(
      `${mounts[0]!.path}: mapping owners needs mount_setattr, which came with Linux 5.12 (this is ${facts.release})`,
      { hint: "leave the maps of mounts away" },
    );
  }
  const spaces = [...new Map(mounts.map(({ space, maps }) => [space, maps]))];
  return [
    ...spaces.flatMap(([space, maps]) => openNamespace(space, maps)),
    ...mounts.map((found) => shiftSource(found)),
  ];
}

/** After the clone: the container has the trees, and the launcher must not hold the host's filesystems. */
export function planShiftedRelease(config: Config, keyOf: (index: number) => string): Act[] {
  const mounts = listShifted(config, keyOf);
  if (mounts.length === 0) return [];
  const spaces = [...new Set(mounts.map(({ space }) => space))];
  return [{
    what: "close what was mapped",
    why: "the container has its mounts; open here they would keep the host from unmounting their filesystems",
    shell: [],
    steps: [...mounts.map(({ key }) => treeOf(key)), ...spaces.map((space) => `${space}.open`)].map((label) =>
      step("close", [result(label)], { onNegative: "next" })
    ),
  }];
}

/** Memory for the maps: `struct mount_attr`, into which the namespace's descriptor is put when the program runs. */
export function shiftedRegions(config: Config): Readonly<Record<string, Region>> {
  const regions: Record<string, Region> = {};
  for (const { space } of listShifted(config, String)) {
    regions[space] = { size: 32, fields: [word(0, flags("MOUNT_ATTR_IDMAP"))] };
    regions[`${space}.proc`] = { size: 8 };
  }
  return regions;
}

interface Maps {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
}

interface ShiftedMount {
  readonly mount: Mount;
  readonly key: string;
  /** As errors name it: `mounts[3]`. */
  readonly path: string;
  readonly maps: Maps;
  /** The same for mounts with the same maps. */
  readonly space: string;
}

function listShifted({ mounts, linux }: Config, keyOf: (index: number) => string): ShiftedMount[] {
  const known: string[] = [];
  return mounts.flatMap((mount, index) => {
    if (!isShifted(mount)) return [];
    const uids = mount.uidMappings ?? linux.uidMappings ?? [];
    const gids = mount.gidMappings ?? linux.gidMappings ?? [];
    const written = JSON.stringify([uids, gids]);
    if (!known.includes(written)) known.push(written);
    const space = `maps${known.indexOf(written)}`;
    return [{ mount, key: keyOf(index), path: `mounts[${index}]`, maps: { uids, gids }, space }];
  });
}

function openNamespace(space: string, { uids, gids }: Maps): Act[] {
  const proc = `${space}.proc`;
  return [
    startHelper(space),
    findProcess({ pid: result(`${space}.helper`), key: space, directory: proc }),
    writeMap("uid_map", uids, proc),
    writeMap("gid_map", gids, proc),
    {
      what: "open the helper's user namespace, and end the helper",
      why: "an open namespace stays; who made it is not needed any more",
      shell: ["exec 9</proc/$HELPER/ns/user; kill $HELPER"],
      steps: [
        step("openat", [{ load: proc }, text("ns/user"), flags("O_RDONLY", "O_CLOEXEC")], { label: `${space}.open` }),
        step("@store", [{ region: space, offset: 24 }, previous()]),
        step("close", [{ load: proc }]),
        step("kill", [result(`${space}.helper`), SIGKILL]),
        step("wait4", [result(`${space}.helper`), 0, 0, 0]),
      ],
    },
  ];
}

const SIGKILL = 9;

/** A copy of the launcher that does nothing; it shares no memory with it, so that it may sleep at any step. */
function startHelper(space: string): Act {
  const sleep = `${space}.sleep`;
  return {
    what: "start a helper in a user namespace of its own",
    why: "the kernel is told by a user namespace how owners are mapped on a mount",
    shell: ["unshare --user sleep infinity & HELPER=$!"],
    steps: [
      step("clone", [flags("CLONE_NEWUSER", "SIGCHLD"), 0, 0, 0, 0], { label: `${space}.helper`, onPositive: "end" }),
      step("prctl", [flags("PR_SET_PDEATHSIG"), SIGKILL, 0, 0, 0], { onNegative: "next" }),
      step("ppoll", [0, 0, 0, 0, 8], { label: sleep, onNegative: sleep, onZero: sleep, onPositive: sleep }),
    ],
  };
}

/** Seen by nobody else: what the host mounts below must not come along, unless it was asked for. */
function shiftSource({ mount, key, space }: ShiftedMount): Act {
  const options = readMountOptions(mount.options ?? []);
  const propagation = options.propagation ?? { type: "MS_PRIVATE", recursive: true };
  const act = openSource(mount, { ...options, propagation }, key);
  const how = ["AT_EMPTY_PATH", ...(options.idmap?.recursive ? ["AT_RECURSIVE"] : [])];
  return {
    ...act,
    what: `open ${mount.source} with mapped owners to mount it on ${mount.destination}`,
    shell: [`mount --bind -o X-mount.idmap=/proc/$HELPER/ns/user ${mount.source} "$ROOT"${mount.destination}`],
    steps: [
      ...act.steps,
      step("mount_setattr", [result(treeOf(key)), text(""), flags(...how), { region: space }, 32]),
    ],
  };
}
