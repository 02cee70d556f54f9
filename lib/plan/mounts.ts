/**
 * Everything that is mounted into the rootfs, in the order of the Config.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, flags, step, text } from "../program/step.ts";
import type { Mount } from "../spec/config.ts";
import { isBind } from "../spec/validate_mounts.ts";
import { mountOf, planBind } from "./binds.ts";
import { planCgroupMounts } from "./cgroup_mounts.ts";
import { isForBeneath, planCopyUp } from "./copy_up.ts";
import { planDevices } from "./devices.ts";
import { planFiles } from "./files.ts";
import { type MountContext, planFilesystem } from "./filesystem.ts";
import { type MountOptions, readMountOptions } from "./mount_options.ts";
import { rootfsPath } from "./rootfs.ts";
import { planPty } from "./terminal.ts";
import { openTarget, splitPath, TARGET_PATH } from "./targets.ts";

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
