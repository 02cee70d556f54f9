/**
 * Bind mounts: a directory or file of the host, seen in the container.
 *
 * A kernel from 5.12 takes a copy of the source's mounts that nobody sees (`open_tree`), gives the copy its attributes,
 * all below included (`mount_setattr`), and only then attaches it (`move_mount`): at no moment is there a writable
 * mount where a read-only one was asked for. An older kernel mounts first and then remounts, every mount below by name.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { quoteShell } from "../base/text.ts";
import type { Facts, MountFact } from "../host/facts.ts";
import { type Act, type Arg, AT_FDCWD, type Field, flags, type Step, step, text } from "../program/step.ts";
import type { Mount } from "../spec/config.ts";
import { isBind, isShifted } from "../spec/validate_mounts.ts";
import { type MountOptions, readMountOptions } from "./mount_options.ts";
import { openTarget, TARGET_FD, TARGET_PATH, word } from "./targets.ts";

/** What `planBind` needs to know beside the mount. */
export interface BindContext {
  readonly facts: Facts;
  /** Unique in the plan. */
  readonly key: string;
  readonly kind: "directory" | "file";
  /** Mount points that are there. */
  readonly present?: ReadonlySet<string>;
  /** Where the rootfs is mounted on the host. */
  readonly rootfs?: string;
}

/** Label of the step that opens the source of a bind mount with that key. */
export function treeOf(key: string): string {
  return `${key}.tree`;
}

/** True where this kernel can hold a copy of mounts that is attached nowhere. */
export function holdsCopies({ has }: Facts): boolean {
  return has.mount_setattr && has.open_tree;
}

/**
 * Opens the sources of all bind mounts, before the rootfs is mounted, so that none holds the container's own mounts, and
 * before a user namespace takes the right to search the host's directories.
 *
 * @param keyOf the key of the mount of that index.
 */
export function planBindSources(mounts: readonly Mount[], facts: Facts, keyOf: (index: number) => string): Act[] {
  if (!holdsCopies(facts)) return [];
  return mounts.flatMap((mount, index) => {
    const options = readMountOptions(mount.options ?? []);
    // Those with mapped owners the launcher has opened.
    return isBind(mount.type, mount.options) && !isShifted(mount) ? [openSource(mount, options, keyOf(index))] : [];
  });
}

/** One of them: a copy of its mounts, with the attributes asked for. */
export function openSource(mount: Mount, options: MountOptions, key: string): Act {
  const clone = ["OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC", ...(options.recursiveBind ? ["AT_RECURSIVE"] : [])];
  const tree = treeOf(key);
  const setAttributes = [
    attributeStep(tree, options.attributes, options.cleared, options.propagation, false),
    attributeStep(tree, options.recursiveAttributes, options.recursiveCleared, options.propagation, true),
  ].filter((found) => found !== undefined);
  return {
    what: `open ${mount.source} to mount it on ${mount.destination}`,
    why: "a copy of the mounts there that nobody sees yet, with the attributes asked for",
    shell: [],
    steps: [
      step("open_tree", [AT_FDCWD, text(mount.source ?? ""), flags(...clone)], { label: tree }),
      ...setAttributes,
    ],
  };
}

/**
 * The act that makes one bind mount; its source is open already where the kernel can do that.
 *
 * @throws PaddockError where this kernel cannot make it read-only throughout.
 */
export function planBind(mount: Mount, context: BindContext): Act {
  const options = readMountOptions(mount.options ?? []);
  const source = mount.source ?? "";
  const recursive = options.recursiveAttributes.includes("MOUNT_ATTR_RDONLY");
  const readOnly = recursive || options.attributes.includes("MOUNT_ATTR_RDONLY");
  const steps = holdsCopies(context.facts) ? attachCopy(mount, context) : mountAndRemount(mount, options, context);
  return {
    what: `mount ${source} on ${mount.destination}${readOnly ? " read-only" : ""}`,
    why: readOnly
      ? "the container reads these files of the host and cannot change them, nor anything mounted below them"
      : "the container works on these files of the host themselves",
    shell: shellBind(mount, options, readOnly),
    steps,
  };
}

function shellBind(mount: Mount, options: MountOptions, readOnly: boolean): string[] {
  const target = quoteShell(`$ROOT${mount.destination}`).replace(/^'\$ROOT/, '"$ROOT"\'');
  const bind = options.recursiveBind ? "--rbind" : "--bind";
  return [
    `mount ${bind} ${quoteShell(mount.source ?? "")} ${target}`,
    ...(readOnly ? [`mount -o remount,bind,ro ${target}   # and the same for every mount below it`] : []),
  ];
}

function attachCopy(mount: Mount, { facts, key, kind, present = new Set() }: BindContext): Step[] {
  const tree = { result: treeOf(key) };
  return [
    ...openTarget(mount.destination, facts, { key, kind, present }),
    step("move_mount", [
      tree,
      text(""),
      TARGET_FD,
      text(""),
      flags("MOVE_MOUNT_F_EMPTY_PATH", "MOVE_MOUNT_T_EMPTY_PATH"),
    ]),
    step("close", [tree]),
  ];
}

/** `mount_setattr` on a detached tree; undefined where it would change nothing. */
function attributeStep(
  tree: string,
  set: readonly string[],
  cleared: readonly string[],
  propagation: MountOptions["propagation"],
  recursive: boolean,
): Step | undefined {
  const own = propagation?.recursive === recursive ? propagation.type : undefined;
  if (set.length === 0 && cleared.length === 0 && own === undefined) return undefined;
  const how = ["AT_EMPTY_PATH", ...(recursive ? ["AT_RECURSIVE"] : [])];
  return step("mount_setattr", [{ result: tree }, text(""), flags(...how), mountAttributes(set, cleared, own), 32]);
}

/** `struct mount_attr` (`man 2 mount_setattr`). Access time settings exclude one another: setting one clears the others. */
export function mountAttributes(set: readonly string[], cleared: readonly string[], propagation?: string): Arg {
  const times = ["MOUNT_ATTR_RELATIME", "MOUNT_ATTR_NOATIME", "MOUNT_ATTR_STRICTATIME"];
  const touchesTimes = [...set, ...cleared].some((name) => times.includes(name));
  const clear = [...cleared.filter((name) => !times.includes(name)), ...(touchesTimes ? ["MOUNT_ATTR__ATIME"] : [])];
  const fields: Field[] = [word(0, flags(...set)), word(8, flags(...clear))];
  if (propagation !== undefined) fields.push(word(16, flags(propagation)));
  return { block: { size: 32, fields } };
}

function mountAndRemount(mount: Mount, options: MountOptions, context: BindContext): Step[] {
  const { facts, key, kind, present = new Set(), rootfs = "" } = context;
  const prefix = mount.source === "/" ? "/" : `${mount.source}/`;
  if (options.recursiveAttributes.length > 0 && rootfs.startsWith(prefix)) {
    throw new PaddockError(
      `cannot mount ${mount.source} read-only throughout: the container's own rootfs ${rootfs} lies in it, and this ` +
        `kernel (${facts.release}) would show that writable`,
      { hint: "mount a smaller part of the host, or use a kernel from 5.12" },
    );
  }
  const bind = options.recursiveBind ? ["MS_BIND", "MS_REC"] : ["MS_BIND"];
  const target = openTarget(mount.destination, facts, { key, kind, present });
  const steps = [...target, step("mount", [text(mount.source ?? ""), text(TARGET_PATH), 0, flags(...bind), 0])];
  for (const { id, relative, flags: wanted } of mountsToChange(mount, options, facts)) {
    // The descriptor from before is of what lies underneath the new mount, so the path is looked up again.
    steps.push(
      ...openTarget(`${mount.destination}/${relative}`, facts, { key: `${key}.${id}`, kind: "existing" }),
      step("mount", [0, text(TARGET_PATH), 0, flags("MS_REMOUNT", "MS_BIND", ...wanted), 0]),
    );
  }
  if (options.propagation !== undefined) {
    const { type, recursive } = options.propagation;
    steps.push(
      ...openTarget(mount.destination, facts, { key: `${key}.p`, kind: "existing" }),
      step("mount", [0, text(TARGET_PATH), 0, flags(type, ...(recursive ? ["MS_REC"] : [])), 0]),
    );
  }
  return steps;
}

interface ChangedMount {
  readonly id: number;
  readonly relative: string;
  readonly flags: readonly string[];
}

/** The mounts that need a remount of their own where the kernel has no recursive call, with the flags that they keep. */
function mountsToChange(mount: Mount, options: MountOptions, facts: Facts): ChangedMount[] {
  const recursive = [...options.recursiveAttributes, ...options.recursiveCleared];
  const plain = [...options.attributes, ...options.cleared, ...options.flags];
  if (plain.length === 0 && recursive.length === 0) return [];
  if (recursive.some((name) => name !== "MOUNT_ATTR_RDONLY")) {
    throw new PaddockError(
      `the options of the mount on ${mount.destination} need mount_setattr, which this kernel (${facts.release}) lacks`,
      { hint: "use a kernel from 5.12, or leave the recursive options other than rro away" },
    );
  }
  const source = mount.source ?? "";
  const set = options.recursiveAttributes.map(flagOfAttribute);
  const cleared = options.recursiveCleared.map(flagOfAttribute);
  const own = changeFlags(mountOf(source, facts.mounts), {
    set: [...options.attributes.map(flagOfAttribute), ...options.flags, ...set],
    cleared: [...options.cleared.map(flagOfAttribute), ...cleared],
  });
  const changed: ChangedMount[] = [{ id: 0, relative: "", flags: own }];
  if (recursive.length === 0 || !options.recursiveBind) return changed;
  const prefix = source === "/" ? "/" : `${source}/`;
  const below = facts.mounts.filter(({ target }) => target !== source && target.startsWith(prefix));
  return changed.concat(below.map((found) => ({
    id: found.id,
    relative: found.target.slice(prefix.length),
    flags: changeFlags(found, { set, cleared }),
  })));
}

/** `MS_` and `MOUNT_ATTR_` flags of the same meaning have the same name. */
function flagOfAttribute(attribute: string): string {
  return attribute.replace("MOUNT_ATTR_", "MS_");
}

/** What a mount has, by its words in the mount table: a remount sets all of it anew. */
const KEPT: Readonly<Record<string, string>> = {
  ro: "MS_RDONLY",
  nosuid: "MS_NOSUID",
  nodev: "MS_NODEV",
  noexec: "MS_NOEXEC",
  noatime: "MS_NOATIME",
  nodiratime: "MS_NODIRATIME",
  relatime: "MS_RELATIME",
};

/** How often the time of access is kept: one of these at most. */
const TIMES = ["MS_NOATIME", "MS_RELATIME", "MS_STRICTATIME"];

function changeFlags(
  mount: MountFact | undefined,
  change: { readonly set: readonly string[]; readonly cleared: readonly string[] },
): string[] {
  const timed = change.set.some((flag) => TIMES.includes(flag));
  const kept = (mount?.options ?? []).map((option) => KEPT[option]).filter((flag) => flag !== undefined)
    .filter((flag) => !change.cleared.includes(flag) && !(timed && TIMES.includes(flag)));
  return [...new Set([...kept, ...change.set])];
}

/** The mount that a path of the host lies on. */
export function mountOf(path: string, mounts: readonly MountFact[]): MountFact | undefined {
  let found: MountFact | undefined;
  for (const mount of mounts) {
    const inside = mount.target === "/" || path === mount.target || path.startsWith(`${mount.target}/`);
    // Later lines of the table lie over earlier ones.
    if (inside && (found === undefined || mount.target.length >= found.target.length)) found = mount;
  }
  return found;
}
