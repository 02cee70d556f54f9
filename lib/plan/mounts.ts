/**
 * Everything that is mounted into the rootfs, in the order of the Config.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { quoteShell } from "../base/text.ts";
import type { CgroupView } from "../cgroup/view.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, flags, type Step, step, text } from "../program/step.ts";
import type { Config, Mount } from "../spec/config.ts";
import { isBind } from "../spec/validate_mounts.ts";
import { mountAttributes, mountOf, planBind } from "./binds.ts";
import { isForBeneath, planCopyUp } from "./copy_up.ts";
import { planDevices } from "./devices.ts";
import { planFiles } from "./files.ts";
import { type MountOptions, readMountOptions } from "./mount_options.ts";
import { rootfsPath } from "./rootfs.ts";
import type { Setting } from "./setting.ts";
import { planPty } from "./terminal.ts";
import { openTarget, splitPath, TARGET_FD, TARGET_PATH } from "./targets.ts";

/** What the builders of mounts share. */
export interface MountContext {
  readonly config: Config;
  readonly facts: Facts;
  readonly setting: Setting;
  /** How the container's own cgroups are shown at `/sys/fs/cgroup`. */
  readonly cgroupView: CgroupView;
}

/** The mounts of the Config; device nodes and files of ours as soon as `/dev` is there. */
export function planMounts(context: MountContext): Act[] {
  const { config, facts } = context;
  const hasOwnDev = config.mounts.some(isDev);
  // A /dev of the user's is taken as it is. The files of ours are made in a filesystem underneath it.
  const isGiven = !hasOwnDev && config.mounts.some(({ destination }) => destination === "/dev");
  const inDev = [...(isGiven ? [] : planDevices(context)), ...planFiles(context)];
  const acts: Act[] = isGiven && inDev.length > 0 ? [planFilesystem(STAGING, "staging", context), ...inDev] : [];
  config.mounts.forEach((mount, index) => {
    acts.push(...planMount(mount, mountKey(index), context));
    if (isDev(mount)) acts.push(...inDev);
    if (config.process.terminal && mount.type === "devpts") acts.push(planPty(facts));
  });
  if (!hasOwnDev && !isGiven) acts.push(...inDev);
  // Without terminals of its own the container has one from those of the /dev that it was given.
  if (config.process.terminal && !config.mounts.some(({ type }) => type === "devpts")) acts.push(planPty(facts));
  return acts;
}

/** Stands in the labels of a mount's steps. */
export function mountKey(index: number): string {
  return `mount${index}`;
}

const STAGING: Mount = { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "noexec", "nodev"] };

function isDev(mount: Mount): boolean {
  return mount.destination === "/dev" && mount.type === "tmpfs";
}

function planMount(mount: Mount, key: string, context: MountContext): Act[] {
  const options = readMountOptions(mount.options ?? []);
  checkInProc(mount, context.facts);
  if (options.flags.includes("MS_REMOUNT")) return [planRemount(mount, options, key, context.facts)];
  if (isBind(mount.type, mount.options)) return [planUserBind(mount, key, context)];
  if (options.copyUp && mount.type === "tmpfs") {
    const words = (mount.options ?? []).filter(isForBeneath);
    return planCopyUp(mount, context.facts, { key, tmpfs: planFilesystem({ ...mount, options: words }, key, context) });
  }
  if (mount.type === "cgroup") return planCgroupMounts(mount, key, context);
  if (mount.type === "mqueue" && !context.facts.has.mqueue) return [];
  return [planFilesystem(mount, key, context)];
}

/** Files of /proc that may be covered by a mount: those which lxcfs and the like provide (as runc has it). */
const COVERED_IN_PROC = ["cpuinfo", "diskstats", "meminfo", "stat", "swaps", "uptime", "loadavg", "slabinfo"]
  .concat(["kernel/ns_last_pid", "crypto/fips_enabled"].map((path) => `sys/${path}`));

/** What lies in /proc must be the kernel's: one of an image's could tell anything, to the runtime as well (CVE-2019-16884). */
function checkInProc({ destination, type, source = "", options }: Mount, facts: Facts): void {
  const [first, ...inside] = splitPath(destination);
  if (first !== "proc" || COVERED_IN_PROC.includes(inside.join("/"))) return;
  const isProc = isBind(type, options) ? isProcItself(source, facts) : type === "proc";
  if (inside.length === 0 && isProc) return;
  // A mount that is there already is not covered.
  if ((options ?? []).includes("remount")) return;
  throw new PaddockError(`cannot mount ${source || type} on ${destination}: what lies in /proc must be the kernel's`, {
    hint: "choose another place in the container",
  });
}

/** True for the whole of a /proc of the host's. */
function isProcItself(source: string, { mounts }: Facts): boolean {
  const found = mountOf(source, mounts);
  return found?.type === "proc" && found.target === source && found.root === "/";
}

function planUserBind(mount: Mount, key: string, { setting, facts }: MountContext): Act {
  return planBind(mount, {
    facts,
    key,
    present: setting.present,
    rootfs: rootfsPath(setting.rootfs),
    kind: setting.sources[mount.source ?? ""] ?? "directory",
  });
}

/** `remount`: other flags for what is mounted there; with `bind` for that mount alone, and not for its filesystem. */
function planRemount(mount: Mount, options: MountOptions, key: string, facts: Facts): Act {
  const words = (mount.options ?? []).join(",");
  const kind = isBind(mount.type, mount.options) ? ["MS_BIND"] : [];
  return {
    what: `mount ${mount.destination} anew`,
    why: "asked for: what is mounted there gets other options",
    shell: [`mount -o ${words} "$ROOT"${mount.destination}`],
    steps: [
      ...openTarget(mount.destination, facts, { key, kind: "existing" }),
      step("mount", [0, text(TARGET_PATH), 0, flags(...options.flags, ...kind), text(options.data)]),
    ],
  };
}

/** Reasons for the filesystems that every container has. */
const REASONS: Readonly<Record<string, string>> = {
  proc: "ps, top and most programs read it; it shows the processes of this pid namespace only",
  sysfs: "programs look up devices and the network here; read-only, for it is the host's kernel that it configures",
  devpts: "terminals of the container's own, numbered from 0",
  mqueue: "POSIX message queues of this ipc namespace",
  tmpfs: "files in memory that are gone with the container",
  overlay: "directories laid over one another",
  cgroup2: "the container sees its own limits and usage",
};

/** Filesystems through which the kernel is configured: nothing in the image may lead their mounts elsewhere. */
const STRICT = ["proc", "sysfs", "cgroup", "cgroup2"];

function planFilesystem(
  mount: Mount,
  key: string,
  { config, facts, setting: { present } }: MountContext,
  kind: "directory" | "existing" = "directory",
): Act {
  const options = readMountOptions(mount.options ?? []);
  const type = mount.type ?? "none";
  const data = withLabel(options.data, type, config.linux.mountLabel);
  const source = mount.source ?? type;
  const words = (mount.options ?? []).join(",");
  const steps: Step[] = [
    ...openTarget(mount.destination, facts, { key, kind, present, strict: STRICT.includes(type) }),
    step("mount", [text(source), text(TARGET_PATH), text(type), flags(...options.flags), text(data)]),
    ...setBelow(mount, options, key, facts),
  ];
  if (options.propagation !== undefined) {
    const propagation = flags(options.propagation.type, ...(options.propagation.recursive ? ["MS_REC"] : []));
    steps.push(
      ...openTarget(mount.destination, facts, { key: `${key}.p`, kind: "existing" }),
      step("mount", [0, text(TARGET_PATH), 0, propagation, 0]),
    );
  }
  return {
    what: `mount ${type} on ${mount.destination}`,
    why: REASONS[type] ?? `the container asks for a ${type} here`,
    shell: [`mount -t ${type}${words === "" ? "" : ` -o ${words}`} ${quoteShell(source)} "$ROOT"${mount.destination}`],
    steps,
  };
}

/** `rro` and its like, of which `mount(2)` knows nothing. */
function setBelow(mount: Mount, options: MountOptions, key: string, facts: Facts): Step[] {
  const { recursiveAttributes, recursiveCleared } = options;
  if (recursiveAttributes.length + recursiveCleared.length === 0) return [];
  if (!facts.has.mount_setattr) {
    throw new PaddockError(
      `the options of the mount on ${mount.destination} need mount_setattr, which this kernel (${facts.release}) lacks`,
      { hint: "use a kernel from 5.12, or the options without the r before them" },
    );
  }
  return [
    ...openTarget(mount.destination, facts, { key: `${key}.r`, kind: "existing" }),
    step("mount_setattr", [
      TARGET_FD,
      text(""),
      flags("AT_EMPTY_PATH", "AT_RECURSIVE"),
      mountAttributes(recursiveAttributes, recursiveCleared),
      32,
    ]),
  ];
}

/** `linux.mountLabel` for filesystems that take a SELinux context; those of the kernel's own have their own. */
function withLabel(data: string, type: string, label = ""): string {
  if (label === "" || [...STRICT, "mqueue"].includes(type)) return data;
  return [...(data === "" ? [] : [data]), `context="${label}"`].join(",");
}

/** `/sys/fs/cgroup` as this host has it: one filesystem with v2; with v1 and hybrid a directory of them. */
function planCgroupMounts(mount: Mount, key: string, context: MountContext): Act[] {
  const { facts, cgroupView } = context;
  const readOnly = (mount.options ?? []).includes("ro");
  const options = (mount.options ?? []).filter((word) => !/^r?(private|slave|shared)$/.test(word));
  if (cgroupView.kind === "none") return [];
  if (cgroupView.kind === "cgroup2") {
    return [planFilesystem({ ...mount, type: "cgroup2", source: "cgroup2", options }, key, context)];
  }
  const inside = (name: string) => `${mount.destination}/${name}`;
  const tmpfs = ["nosuid", "noexec", "nodev", "mode=755"];
  const names = cgroupView.entries.map(({ directory }) => directory);
  const acts: Act[] = [
    planFilesystem(
      { destination: mount.destination, type: "tmpfs", source: "tmpfs", options: tmpfs },
      key,
      context,
      "existing",
    ),
    {
      what: `make directories in ${mount.destination}`,
      why: "each hierarchy is a filesystem of its own",
      shell: [`mkdir ${names.map((name) => `"$ROOT"${inside(name)}`).join(" ")}`],
      steps: [
        ...openTarget(mount.destination, facts, { key: `${key}.directories`, kind: "existing" }),
        ...names.map((name) => step("mkdirat", [TARGET_FD, text(name), 0o755])),
      ],
    },
  ];
  cgroupView.entries.forEach(({ directory, type, options: data }, index) => {
    const words = [...options, ...(data === "" ? [] : [data])];
    const hierarchy = { destination: inside(directory), type, source: type, options: words };
    acts.push(planFilesystem(hierarchy, `${key}.${index}`, context, "existing"));
  });
  acts.push({
    what: `finish ${mount.destination}`,
    why: "programs look for each controller by its own name" + (readOnly ? ", and change nothing here" : ""),
    shell: cgroupView.links.map(({ name, target }) => `ln -s ${target} "$ROOT"${inside(name)}`),
    steps: [
      ...openTarget(mount.destination, facts, { key: `${key}.links`, kind: "existing" }),
      ...cgroupView.links.map(({ name, target }) => step("symlinkat", [text(target), TARGET_FD, text(name)])),
      ...(readOnly
        ? [step("mount", [
          0,
          text(TARGET_PATH),
          0,
          flags("MS_REMOUNT", "MS_BIND", "MS_RDONLY", "MS_NOSUID", "MS_NODEV", "MS_NOEXEC"),
          0,
        ])]
        : []),
    ],
  });
  return acts;
}
