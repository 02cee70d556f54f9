/**
 * The root filesystem: made visible in the container's own mount namespace, entered, and the host's taken away.
 *
 * Nothing here is mounted where the host could see it, so nothing stays when the container ends or is killed: the
 * mounts go with the namespace.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { quoteShell } from "../base/text.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, AT_FDCWD, flags, previous, result, type Step, step, text } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { mountAttributes, mountOf } from "./binds.ts";
import { isNew } from "./namespaces.ts";
import type { OverlayRootfs, RootfsSource, Setting } from "./setting.ts";
import { shiftMount } from "./shift.ts";
import { openTarget, ROOT, TARGET_PATH } from "./targets.ts";

/** Directories that an overlay needs, made by the launcher; none for a directory that is used as it is. */
export function planDirectories(config: Config, setting: Setting): Act[] {
  const { rootfs } = setting;
  if (rootfs.kind === "directory") return [];
  const made = rootfs.inMemory ? [] : overlayDirectories(rootfs, isNew(config, "user"));
  const paths = setting.prepared ? made : [rootfs.directory, ...made];
  const act = makeDirectories(
    paths,
    rootfs.directory,
    rootfs.again === true || setting.detachment?.restart !== undefined,
  );
  if (setting.cached === undefined) return [act];
  const [first, ...rest] = act.steps;
  const link = step("symlinkat", [text(setting.stateDir), AT_FDCWD, text(`${rootfs.directory}/state`)]);
  return [{ ...act, steps: [first!, link, ...rest] }];
}

function makeDirectories(paths: readonly string[], directory: string, again = false): Act {
  return {
    what: `make directories in ${directory}`,
    why: "what the container writes goes into a directory of its own, and the image stays as it is",
    shell: [`mkdir -p ${paths.map(quoteShell).join(" ")}`],
    // An upper directory is the container's root: everybody may enter it.
    steps: paths.map((path) =>
      step(
        "mkdirat",
        [AT_FDCWD, text(path), /\/upper\d*$/.test(path) ? 0o755 : 0o700],
        again ? { onNegative: "next" } : {},
      )
    ),
  };
}

/** The directories inside that of the container, each after the one it lies in. */
function overlayDirectories(rootfs: OverlayRootfs, shifted: boolean): string[] {
  const { directory } = rootfs;
  const below = (rootfs.below ?? []).flatMap((_, index) => [`${directory}/upper${index}`, `${directory}/work${index}`]);
  const upper = rootfs.upper === undefined ? [`${directory}/upper`] : [];
  const copies = shifted ? layerCopies(rootfs).map(({ copy }) => copy) : [];
  return [...upper, `${directory}/work`, `${directory}/rootfs`, ...below, ...copies];
}

/** Lower directories, and where each is shown with shifted owners for a user namespace. */
function layerCopies(rootfs: OverlayRootfs): { readonly layer: string; readonly copy: string }[] {
  return [...rootfs.lower, ...(rootfs.below ?? [])].map((layer, index) => ({
    layer,
    copy: `${rootfs.directory}/lower${index}`,
  }));
}

/**
 * Takes the overlay's directories away again: cheap when nothing was written. A directory that is not empty leads to
 * `onLeftovers`.
 */
export function planRemoval(config: Config, setting: Setting, onLeftovers: string): Act[] {
  const { rootfs } = setting;
  if (setting.keep) return [];
  if (rootfs.kind === "directory") {
    return setting.dataDir === undefined ? [] : [removeData(setting.dataDir, onLeftovers)];
  }
  const shifted = isNew(config, "user");
  const own = rootfs.inMemory ? [] : overlayDirectories(rootfs, shifted).reverse();
  const remove = (path: string, onNegative: string) =>
    step("unlinkat", [AT_FDCWD, text(path), flags("AT_REMOVEDIR")], { onNegative });
  const steps = own.flatMap((path) =>
    // The kernel makes `work` inside an overlay's work directory, and in there a file for a volatile one.
    /\/work\d*$/.test(path)
      ? [
        step("unlinkat", [AT_FDCWD, text(`${path}/work/incompat/volatile/dirty`), 0], { onNegative: "next" }),
        remove(`${path}/work/incompat/volatile`, "next"),
        remove(`${path}/work/incompat`, "next"),
        remove(`${path}/work`, "next"),
        remove(path, onLeftovers),
      ]
      : [remove(path, onLeftovers)]
  );
  return [{
    what: `remove ${rootfs.directory}`,
    why: "a container that wrote nothing leaves empty directories; others are removed by paddock",
    shell: [`rm -rf ${quoteShell(rootfs.directory)}`],
    steps: [
      ...(shifted ? unmountShifted(rootfs) : []),
      ...steps,
      ...(setting.prepared || setting.cached !== undefined
        ? [step("unlinkat", [AT_FDCWD, text(`${rootfs.directory}/state`), 0], { onNegative: "next" })]
        : []),
      remove(rootfs.directory, onLeftovers),
    ],
  }];
}

function removeData(path: string, onLeftovers: string): Act {
  return {
    what: `remove ${path}`,
    why: "volumes without a name go with their container; paddock removes what is in them",
    shell: [`rm -rf ${quoteShell(path)}`],
    steps: [step("unlinkat", [AT_FDCWD, text(path), flags("AT_REMOVEDIR")], { onNegative: onLeftovers })],
  };
}

/** What the launcher has mounted for itself, before it makes the same once more. */
export function planUnmount(config: Config, { rootfs }: Setting): Act[] {
  if (!isNew(config, "user")) return [];
  const steps = rootfs.kind === "overlay"
    ? unmountShifted(rootfs)
    : rootfs.owned
    ? []
    : [step("umount2", [text(rootfs.path), flags("MNT_DETACH")], { onNegative: "next" })];
  const about = { what: "take off the mounts with shifted owners", why: "they are made anew", shell: [] };
  return steps.length === 0 ? [] : [{ ...about, steps }];
}

/** With a user namespace the launcher has the rootfs mounted in a namespace of its own. */
function unmountShifted(rootfs: OverlayRootfs): Step[] {
  const mounted = [`${rootfs.directory}/rootfs`, ...layerCopies(rootfs).map(({ copy }) => copy)];
  return [...mounted, ...(rootfs.inMemory ? [rootfs.directory] : [])].map((path) =>
    step("umount2", [text(path), flags("MNT_DETACH")], { onNegative: "next" })
  );
}

/** The mount of the rootfs, and the descriptor by which everything after reaches into it. */
export function planRootfs(config: Config, facts: Facts, setting: Setting): Act[] {
  const { rootfs } = setting;
  const path = rootfsPath(rootfs);
  const open: Act = {
    what: `open the rootfs ${path}`,
    why: "everything that is mounted into the rootfs is looked up from this descriptor by the kernel, and stays inside",
    shell: [`ROOT=${quoteShell(path)}`],
    steps: [
      step("openat", [AT_FDCWD, text(path), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC")], { label: ROOT }),
    ],
  };
  // In a user namespace the launcher has mounted it, with shifted owners.
  if (rootfs.kind === "directory" || isNew(config, "user")) return [mountDirectory({ path }, facts), open];
  return [
    ...planMemory(rootfs, false),
    mountOverlay(rootfs, setting, facts),
    open,
    ...planBelow(rootfs, setting, facts),
  ];
}

/**
 * The rootfs with the owners that the container's ids are on the host, for a user namespace; made by the launcher. What
 * the container writes has those owners on disk.
 */
export function planShiftedRootfs(config: Config, facts: Facts, setting: Setting): Act[] {
  const { rootfs } = setting;
  if (rootfs.kind === "directory") {
    return rootfs.owned ? [] : [shiftMount(rootfs.path, rootfs.path, "shift")];
  }
  const copies = layerCopies(rootfs);
  const lower = copies.slice(0, rootfs.lower.length).map(({ copy }) => copy);
  const below = copies.slice(rootfs.lower.length);
  return [
    ...planMemory(rootfs, true),
    ...copies.map(({ layer, copy }, index) => shiftMount(layer, copy, `shift${index}`)),
    giveToRoot(config, rootfs),
    mountOverlay({ ...rootfs, lower }, setting, facts),
    ...below.map(({ layer, copy }, index) => {
      const act = belowAct({ path: layer, lower: copy, index }, rootfs, setting, facts);
      const target = `${rootfsPath(rootfs)}${layer}`;
      return { ...act, steps: [step("mount", [text("overlay"), text(target), text("overlay"), 0, text(act.data)])] };
    }),
  ];
}

/** The upper directory is the container's `/`: it belongs to the container's root. */
function giveToRoot(config: Config, rootfs: OverlayRootfs): Act {
  const [uid, gid] = [config.linux.uidMappings, config.linux.gidMappings].map((maps) => maps?.[0]?.hostID ?? 0);
  const uppers = overlayDirectories(rootfs, true).filter((path) => /\/upper\d*$/.test(path));
  return {
    what: `give the upper directory to ${uid}:${gid}`,
    why: "this is who the container's root is on the host",
    shell: uppers.map((path) => `chown ${uid}:${gid} ${quoteShell(path)}`),
    steps: uppers.map((path) => step("fchownat", [AT_FDCWD, text(path), uid ?? 0, gid ?? 0, 0])),
  };
}

/** Where the rootfs is mounted on the host. */
export function rootfsPath(rootfs: RootfsSource): string {
  return rootfs.kind === "directory" ? rootfs.path : `${rootfs.directory}/rootfs`;
}

/** The propagation of the namespace: private, unless a mount asks to hear of the host's mounts or to tell of its own. */
export function planPropagation(config: Config, facts: Facts, setting: Setting): Act {
  const words = config.mounts.flatMap(({ options }) => options ?? []).concat(config.linux.rootfsPropagation ?? []);
  const shared = words.some((word) => /^r?shared$/.test(word));
  const slave = words.some((word) => /^r?slave$/.test(word));
  const type = shared ? "MS_SHARED" : slave ? "MS_SLAVE" : "MS_PRIVATE";
  const name = type.slice(3).toLowerCase();
  const steps = [step("mount", [0, text("/"), 0, flags(type, "MS_REC"), 0])];
  const parent = mountOf(rootfsPath(setting.rootfs), facts.mounts)?.target ?? "/";
  // The mount that the rootfs is attached to must not tell the host of it; pivot_root refuses a shared one as well.
  if (shared) steps.push(step("mount", [0, text(parent), 0, flags("MS_PRIVATE"), 0]));
  return {
    what: `make the mount namespace ${name}`,
    why: shared
      ? "mounts in the volumes that ask for it are seen on both sides; those of the rootfs stay inside"
      : slave
      ? "mounts that the host makes in shared volumes appear inside; what is mounted inside stays inside"
      : "what is mounted from here on stays inside, and nothing of it has to be unmounted later",
    shell: [`mount --make-r${name} /`, ...(shared ? [`mount --make-private ${quoteShell(parent)}`] : [])],
    steps,
  };
}

function planMemory(rootfs: OverlayRootfs, shifted: boolean): Act[] {
  if (!rootfs.inMemory) return [];
  return [{
    what: `mount a tmpfs on ${rootfs.directory}`,
    why: "what the container writes is kept in memory, within its limit, and gone with it: nobody has to remove it",
    shell: [`mount -t tmpfs -o mode=711 tmpfs ${quoteShell(rootfs.directory)}`],
    steps: [step("mount", [text("tmpfs"), text(rootfs.directory), text("tmpfs"), 0, text("mode=711")])],
  }, makeDirectories(overlayDirectories(rootfs, shifted), rootfs.directory)];
}

function mountDirectory({ path }: { readonly path: string }, facts: Facts): Act {
  return {
    what: `mount the rootfs ${path} on itself`,
    why: "pivot_root wants a mount point, and a mount of its own can be made read-only without changing the host's",
    shell: [`mount --rbind ${quoteShell(path)} ${quoteShell(path)}`],
    steps: facts.has.open_tree
      ? [
        step("open_tree", [AT_FDCWD, text(path), flags("OPEN_TREE_CLONE", "OPEN_TREE_CLOEXEC", "AT_RECURSIVE")]),
        step("move_mount", [previous(), text(""), AT_FDCWD, text(path), flags("MOVE_MOUNT_F_EMPTY_PATH")]),
        step("close", [previous(2)]),
      ]
      : [step("mount", [text(path), text(path), 0, flags("MS_BIND", "MS_REC"), 0])],
  };
}

function mountOverlay(rootfs: OverlayRootfs, setting: Setting, facts: Facts): Act {
  const { directory } = rootfs;
  const layers = { lower: rootfs.lower, upper: rootfs.upper ?? `${directory}/upper`, work: `${directory}/work` };
  const target = `${directory}/rootfs`;
  const whole = overlayData(layers, setting, facts);
  const base = whole.length < OPTIONS_SIZE ? undefined : commonDirectory(layers.lower);
  const data = base === undefined
    ? whole
    : overlayData({ ...layers, lower: layers.lower.map((path) => path.slice(base.length)) }, setting, facts);
  if (data.length >= OPTIONS_SIZE) {
    throw new PaddockError(`${rootfs.lower.length} layers are more than the kernel takes: their names do not fit`, {
      hint: "keep the store at a shorter path with --data-root",
    });
  }
  const mount = step("mount", [text("overlay"), text(target), text("overlay"), 0, text(data)]);
  const command = `mount -t overlay overlay -o ${quoteShell(data)} ${quoteShell(target)}`;
  const [top, ...others] = rootfs.lower;
  return {
    what: `mount the overlay of ${
      others.length < 4 ? rootfs.lower.join(", ") : `${top} and ${others.length} others`
    } on ${target}`,
    why: "the image below stays as it is; everything that the container changes lands in the upper directory",
    shell: [base === undefined ? command : `(cd ${quoteShell(base)} && ${command})`],
    steps: base === undefined ? [mount] : [
      step("openat", [AT_FDCWD, text("."), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC")], { label: "cwd" }),
      step("chdir", [text(base)]),
      mount,
      step("fchdir", [result("cwd")]),
      step("close", [result("cwd")]),
    ],
  };
}

/** A page, which is all that mount(2) takes of options, with the NUL at the end. */
const OPTIONS_SIZE = 4096;

/** The directory that all paths have in common, with its slash. */
function commonDirectory(paths: readonly string[]): string {
  const [first = "", ...others] = paths;
  let length = first.lastIndexOf("/") + 1;
  while (!others.every((path) => path.startsWith(first.slice(0, length)))) {
    length = first.lastIndexOf("/", length - 2) + 1;
  }
  return first.slice(0, length);
}

/** Mount data of an overlay (the kernel's `filesystems/overlayfs.rst`). */
function overlayData(
  layers: { readonly lower: readonly string[]; readonly upper: string; readonly work: string },
  setting: Setting,
  facts: Facts,
): string {
  const escape = (path: string, colon: boolean) => path.replace(colon ? /[\\:,]/g : /[\\,]/g, "\\$&");
  const words = [
    `lowerdir=${layers.lower.map((path) => escape(path, true)).join(":")}`,
    `upperdir=${escape(layers.upper, false)}`,
    `workdir=${escape(layers.work, false)}`,
  ];
  const thrownAway = !setting.keep && setting.rootfs.kind === "overlay" && setting.rootfs.upper === undefined &&
    !setting.rootfs.inMemory;
  // What is thrown away need not reach the disk: without this the end of a container waits for a sync of the filesystem.
  if (thrownAway && facts.has.overlay_volatile) words.push("volatile");
  return words.join(",");
}

/** Filesystems of the host mounted below the lower directory, each with an overlay of its own. */
function planBelow(rootfs: OverlayRootfs, setting: Setting, facts: Facts): Act[] {
  return (rootfs.below ?? []).map((path, index) => belowAct({ path, lower: path, index }, rootfs, setting, facts));
}

function belowAct(
  { path, lower, index }: { readonly path: string; readonly lower: string; readonly index: number },
  rootfs: OverlayRootfs,
  setting: Setting,
  facts: Facts,
): Act & { readonly data: string } {
  const { directory } = rootfs;
  const layers = { lower: [lower], upper: `${directory}/upper${index}`, work: `${directory}/work${index}` };
  const data = overlayData(layers, setting, facts);
  return {
    what: `mount the overlay of ${path}`,
    why: "a filesystem mounted below the first one is not part of its overlay, and gets one of its own",
    shell: [`mount -t overlay overlay -o ${quoteShell(data)} "$ROOT"${quoteShell(path)}`],
    steps: [
      ...openTarget(path, facts, { key: `below${index}`, kind: "existing" }),
      step("mount", [text("overlay"), text(TARGET_PATH), text("overlay"), 0, text(data)]),
    ],
    data,
  };
}

/** Enters the rootfs, and takes the host's away. */
export function planPivot(config: Config, facts: Facts, { noPivot }: Pick<Setting, "noPivot"> = {}): Act[] {
  const acts: Act[] = noPivot ? planMoveRoot(facts) : [{
    what: "pivot into the rootfs",
    why: "unlike chroot there is no way back: the host's root is unmounted from this namespace",
    shell: ['cd "$ROOT" && pivot_root . . && umount -l . && cd /'],
    steps: [
      step("openat", [AT_FDCWD, text("/"), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC")], { label: "oldRoot" }),
      step("fchdir", [result(ROOT)]),
      step("pivot_root", [text("."), text(".")]),
      // The old root now lies over the new one. Where it is shared with the host, an unmount would reach the host's own
      // mounts: it is made to follow and not to lead first. By its descriptor, for "." would be the new root here.
      step("fchdir", [result("oldRoot")]),
      step("mount", [0, text("."), 0, flags("MS_SLAVE", "MS_REC"), 0]),
      step("umount2", [text("."), flags("MNT_DETACH")]),
      step("chdir", [text("/")]),
      step("close", [result("oldRoot")]),
    ],
  }];
  if (config.root.readonly) acts.push(readOnlyRoot(facts));
  const propagation = config.linux.rootfsPropagation;
  if (propagation) acts.push(setPropagation(propagation));
  return acts;
}

/**
 * For a host whose root is a ramdisk, which cannot be pivoted away: the rootfs is moved over it, and entered. The host's
 * mounts stay below, so those that show more than the container is to see are taken off, or covered.
 */
function planMoveRoot({ mounts }: Facts): Act[] {
  const shown = mounts.filter(({ type }) => type === "proc" || type === "sysfs").map(({ target }) => target);
  const hide = [...new Set(shown)].reverse().map((target, index): Act => ({
    what: `take ${target} away`,
    why: "whoever leaves the chroot would find it there, without what is masked in the container's own",
    shell: [`umount -l ${quoteShell(target)} || mount -t tmpfs tmpfs ${quoteShell(target)}`],
    steps: [
      step("mount", [0, text(target), 0, flags("MS_SLAVE", "MS_REC"), 0], { onNegative: `hidden.${index}` }),
      step("umount2", [text(target), flags("MNT_DETACH")], { onZero: `hidden.${index}`, onNegative: "next" }),
      step("mount", [text("tmpfs"), text(target), text("tmpfs"), 0, text("size=0k")], { onNegative: "next" }),
      step("@add", [0, 0], { label: `hidden.${index}` }),
    ],
  }));
  return [...hide, {
    what: "move the rootfs over the host's root",
    why: "asked for by --no-pivot: a root on a ramdisk cannot be pivoted away, and what cannot is covered",
    shell: ['cd "$ROOT" && mount --move . / && chroot .'],
    steps: [
      step("fchdir", [result(ROOT)]),
      step("mount", [text("."), text("/"), 0, flags("MS_MOVE"), 0]),
      step("chroot", [text(".")]),
      step("chdir", [text("/")]),
    ],
  }];
}

/**
 * One flag and no other: a remount would take those away that it does not name, which the root of a user namespace may
 * not.
 */
function readOnlyRoot({ has }: Facts): Act {
  const steps = has.mount_setattr
    ? [step("mount_setattr", [AT_FDCWD, text("/"), 0, mountAttributes(["MOUNT_ATTR_RDONLY"], []), 32])]
    : [step("mount", [0, text("/"), 0, flags("MS_REMOUNT", "MS_BIND", "MS_RDONLY"), 0])];
  return {
    what: "make the root read-only",
    why: "asked for: nothing in the image can be changed, volumes and tmpfs can",
    shell: ["mount -o remount,bind,ro /"],
    steps,
  };
}

function setPropagation(propagation: string): Act {
  const recursive = propagation.startsWith("r");
  const type = `MS_${propagation.replace(/^r/, "").toUpperCase()}`;
  return {
    what: `make the root ${propagation}`,
    why: "asked for: how mounts made in the container and outside see one another",
    shell: [`mount --make-${propagation} /`],
    steps: [step("mount", [0, text("/"), 0, flags(type, ...(recursive ? ["MS_REC"] : [])), 0])],
  };
}
