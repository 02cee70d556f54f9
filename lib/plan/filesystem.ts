/**
 * A filesystem of the kernel's that is mounted into the rootfs: proc, tmpfs and their like.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { quoteShell } from "../base/text.ts";
import type { CgroupView } from "../cgroup/view.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, flags, type Step, step, text } from "../program/step.ts";
import type { Config, Mount } from "../spec/config.ts";
import { mountAttributes } from "./binds.ts";
import { type MountOptions, readMountOptions } from "./mount_options.ts";
import type { Setting } from "./setting.ts";
import { openTarget, TARGET_FD, TARGET_PATH } from "./targets.ts";

/** What the builders of mounts share. */
export interface MountContext {
  readonly config: Config;
  readonly facts: Facts;
  readonly setting: Setting;
  /** How the container's own cgroups are shown at `/sys/fs/cgroup`. */
  readonly cgroupView: CgroupView;
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

/**
 * The act that mounts one filesystem.
 *
 * @param kind whether the place is made where it is missing.
 * @throws PaddockError where this kernel cannot give it its options.
 */
export function planFilesystem(
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
    what: `mount ${type} on ${mount.destination}${data.includes(CONTEXT) ? " with linux.mountLabel" : ""}`,
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
  return [...(data === "" ? [] : [data]), `${CONTEXT}"${label}"`].join(",");
}

const CONTEXT = "context=";
