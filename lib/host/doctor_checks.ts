/**
 * What a host must and may offer to containers, as data: one entry for each question, with what to do about a "no".
 *
 * The checks look at facts that were collected before and ask nothing themselves.
 *
 * @module
 */
import { findFuseOverlay } from "./fuse_overlay.ts";
import { CAPABILITIES } from "../base/capabilities.ts";
import { formatSize } from "../base/sizes.ts";
import { LIMIT_CHECKS } from "./doctor_limits.ts";
import type { Check, Examined, Finding, Place } from "./examined.ts";
import type { Feature, MountFact } from "./facts.ts";
import { isKernelAtLeast } from "./kernel_version.ts";
import { findMountOf } from "./mountinfo.ts";

const ok = (detail: string): Finding => ({ verdict: "ok", detail });
const no = (detail: string, remedy: string): Finding => ({ verdict: "no", detail, remedy });
const warn = (detail: string, remedy?: string): Finding =>
  remedy === undefined ? { verdict: "warn", detail } : { verdict: "warn", detail, remedy };

/** Without these, some of the default set-up fails; without `sys_admin` all of it. */
const WANTED_CAPABILITIES = [
  "chown",
  "dac_override",
  "fowner",
  "kill",
  "mknod",
  "net_admin",
  "setfcap",
  "setgid",
  "setpcap",
  "setuid",
  "sys_admin",
  "sys_chroot",
  "sys_resource",
] as const;

const NAMESPACES = ["mnt", "pid", "uts", "ipc", "net"] as const;

/** Filesystems whose directories cannot be the upper layer of an overlay, or cannot hold a root filesystem at all. */
const UNFIT_FILESYSTEMS: Readonly<Record<string, string>> = {
  overlay: "an overlay cannot write into another overlay",
  nfs: "has no trusted extended attributes",
  nfs4: "has no trusted extended attributes",
  cifs: "has no Unix owners",
  vfat: "has no Unix owners",
  exfat: "has no Unix owners",
  ntfs3: "has no trusted extended attributes",
  "9p": "lacks what an overlay needs of its upper layer",
  virtiofs: "lacks what an overlay needs of its upper layer",
  ecryptfs: "an overlay cannot write into it",
};

/** All checks, in the order in which they are shown. */
export const CHECKS: readonly Check[] = [
  {
    id: "root",
    title: "root",
    group: "to run a container",
    needed: true,
    check: ({ facts }) => facts.uid === 0 ? ok("yes") : no(`user ${facts.uid}`, "run it with sudo"),
  },
  {
    id: "capabilities",
    title: "capabilities",
    group: "to run a container",
    needed: true,
    check: ({ facts }) => {
      const missing = WANTED_CAPABILITIES.filter((name) => !facts.capabilities.includes(name));
      const remedy = "give them to whatever paddock runs in; for a container of docker's: --privileged";
      if (missing.includes("sys_admin")) return no(`without ${missing.join(", ")}`, remedy);
      if (missing.length > 0) return warn(`without ${missing.join(", ")}`, remedy);
      return ok(`${facts.capabilities.length} of ${Math.min(facts.lastCapability + 1, CAPABILITIES.length)}`);
    },
  },
  {
    id: "kernel",
    title: "kernel",
    group: "to run a container",
    needed: true,
    check: ({ facts: { release, version } }) => {
      if (isKernelAtLeast(version, 5, 10)) return ok(release);
      if (isKernelAtLeast(version, 4, 18)) return warn(`${release}: slower ways are taken where calls are missing`);
      return no(release, "paddock needs Linux 4.18, and likes 5.10 or newer");
    },
  },
  {
    id: "namespaces",
    title: "namespaces",
    group: "to run a container",
    needed: true,
    check: ({ exists, readText }) => {
      const absent = NAMESPACES.filter((name) => !exists(`/proc/self/ns/${name}`));
      if (absent.length > 0) return no(`the kernel has no ${absent.join(", ")}`, "use a kernel with CONFIG_NAMESPACES");
      const forbidden = NAMESPACES.filter((name) => readText(`/proc/sys/user/max_${name}_namespaces`)?.trim() === "0");
      if (forbidden.length === 0) return ok(NAMESPACES.join(", "));
      return no(`${forbidden.join(", ")} forbidden`, `sysctl user.max_${forbidden[0]}_namespaces=10000`);
    },
  },
  {
    id: "proc",
    title: "proc and sysfs",
    group: "to run a container",
    needed: true,
    check: ({ facts: { mounts } }) => {
      const missing = ["proc", "sysfs"].filter((type) => !mounts.some((mount) => mount.type === type));
      return missing.length === 0
        ? ok("mounted")
        : no(`${missing.join(", ")} not mounted`, "mount -t proc proc /proc; mount -t sysfs sysfs /sys");
    },
  },
  {
    id: "overlay",
    title: "overlay",
    group: "to run a container",
    check: ({ facts, overlayTrial, exists }) => {
      const instead = findFuseOverlay(exists) === undefined
        ? "until then an image is copied for each run; fuse-overlayfs, installed, would mount it"
        : "until then fuse-overlayfs mounts images, which is slower";
      if (!facts.has.overlay) return no("the kernel has none", `modprobe overlay; ${instead}`);
      if (overlayTrial === undefined) return ok("known to the kernel; not tried");
      return overlayTrial.works
        ? ok(overlayTrial.detail)
        : no(overlayTrial.detail, `keep the data on ext4, xfs, btrfs or tmpfs: --data-root DIR; ${instead}`);
    },
  },
  {
    id: "memory-program",
    title: "launcher in memory",
    group: "to run a container",
    check: (host) => {
      if (host.facts.has.execveat_memfd) return ok("memfd_create, execveat");
      const mount = mountOf(host.dataRoot, host.facts.mounts);
      const remedy = "sysctl vm.memfd_noexec=0";
      if (!mount?.options.includes("noexec")) return warn("forbidden; a file in the data root is used", remedy);
      return no(`forbidden, and ${mount.target} is mounted noexec`, remedy);
    },
  },
  ...LIMIT_CHECKS,
  feature("user_namespace", "user namespaces", "--userns", "sysctl user.max_user_namespaces=10000"),
  feature("cgroup_namespace", "cgroup namespaces", "--cgroupns private", "use Linux 4.6 or newer"),
  feature("time_namespace", "time namespaces", "moved clocks", "use Linux 5.6 or newer"),
  {
    id: "seccomp",
    title: "seccomp",
    group: "isolation",
    check: ({ facts, readText }) => {
      const remedy = "use a kernel with CONFIG_SECCOMP_FILTER; or go without: --security-opt seccomp=unconfined";
      if (!facts.has.seccomp_filter) return no("the kernel has no filters, or paddock may not use them", remedy);
      const actions = readText("/proc/sys/kernel/seccomp/actions_avail");
      return ok(actions?.trim().replaceAll(" ", ", ") ?? "yes");
    },
  },
  {
    id: "lsm",
    title: "AppArmor, SELinux",
    group: "isolation",
    check: ({ readText }) => {
      const selinux = readText("/sys/fs/selinux/enforce")?.trim();
      const apparmor = readText("/sys/module/apparmor/parameters/enabled")?.trim() === "Y";
      if (selinux === "1") {
        return warn("SELinux is enforcing", "where it keeps a mounted directory from a container: -v SOURCE:TARGET:z");
      }
      if (selinux === "0") return ok("SELinux is permissive");
      return ok(apparmor ? "AppArmor is on; containers get the profile that paddock has" : "neither is on");
    },
  },
  {
    id: "recursive-read-only",
    title: "recursive read-only",
    group: "isolation",
    check: ({ facts }) =>
      facts.has.mount_setattr ? ok("mount_setattr") : warn("no mount_setattr; mounts are walked one by one"),
  },
  {
    id: "paths-in-root",
    title: "safe paths",
    group: "isolation",
    check: ({ facts }) => facts.has.openat2 ? ok("openat2") : warn("no openat2; paths are walked part by part"),
  },
  {
    id: "state-root",
    title: "state",
    group: "storage",
    needed: true,
    check: ({ stateRoot, facts }) => {
      if (stateRoot.fault !== undefined) {
        return no(`${stateRoot.path}: ${stateRoot.fault}`, "remove it, or choose another with --root");
      }
      const mount = mountOf(stateRoot, facts.mounts);
      const where = `${stateRoot.path} on ${mount?.type ?? "an unknown filesystem"}`;
      if (mount?.options.includes("ro")) return no(`${where}, read-only`, "choose another with --root");
      return mount?.type === "tmpfs" || mount?.type === "ramfs"
        ? ok(where)
        : warn(`${where}: it is not emptied at a boot`, "paddock gc removes what a power loss leaves there");
    },
  },
  {
    id: "data-root",
    title: "data",
    group: "storage",
    needed: true,
    check: ({ dataRoot, facts }) => {
      if (dataRoot.fault !== undefined) {
        return no(`${dataRoot.path}: ${dataRoot.fault}`, "remove it, or choose another with --data-root");
      }
      const mount = mountOf(dataRoot, facts.mounts);
      const where = `${dataRoot.path} on ${mount?.type ?? "an unknown filesystem"}`;
      if (mount?.options.includes("ro")) return no(`${where}, read-only`, "choose another with --data-root");
      const unfit = UNFIT_FILESYSTEMS[mount?.type ?? ""];
      return unfit === undefined
        ? ok(where)
        : warn(`${where}, which ${unfit}`.replace("which an", "and an"), "choose another with --data-root");
    },
  },
  {
    id: "space",
    title: "space for data",
    group: "storage",
    check: ({ dataRoot }) => {
      const free = `${formatSize(dataRoot.free)} free`;
      if (dataRoot.free >= 2 ** 30) return ok(free);
      const remedy = "make room: paddock gc, or choose another place with --data-root";
      return dataRoot.free < 64 * 2 ** 20 ? no(free, remedy) : warn(free, remedy);
    },
  },
  {
    id: "leftovers",
    title: "leftovers",
    group: "storage",
    check: ({ leftovers }) =>
      leftovers.length === 0
        ? ok("none")
        : warn(leftovers.length === 1 ? leftovers[0]! : `${leftovers.length}, as ${leftovers[0]}`, "paddock gc"),
  },
  {
    id: "nftables",
    title: "nftables",
    group: "this host",
    check: ({ nftables }) => {
      if (nftables) return ok("known to the kernel");
      return warn(
        nftables === undefined ? "could not be asked for" : "the kernel has none: no network of a container's own",
        "modprobe nf_tables",
      );
    },
  },
  {
    id: "psi",
    title: "pressure (PSI)",
    group: "this host",
    check: ({ readText }) =>
      readText("/proc/pressure/memory") !== undefined
        ? ok("counted")
        : warn("not counted", "boot with psi=1 to see which container waits for memory, processor or disk"),
  },
  {
    id: "nested",
    title: "itself contained",
    group: "this host",
    check: (host) => {
      const engine = findEngine(host);
      return engine === undefined
        ? ok("no")
        : warn(engine, "give it --privileged and a data root that is a volume; an overlay cannot lie on an overlay");
    },
  },
  {
    id: "runtime",
    title: "runtime",
    group: "this host",
    check: ({ runtime }) => ok(`Deno ${runtime.deno}, glibc ${runtime.glibc ?? "of unknown version"}`),
  },
];

/** A check of one feature that few miss. */
function feature(name: Feature, title: string, use: string, remedy: string): Check {
  return {
    id: name.replaceAll("_", "-"),
    title,
    group: "isolation",
    check: ({ facts }) => facts.has[name] ? ok("yes") : warn(`none, so ${use} cannot be had`, remedy),
  };
}

function mountOf(place: Place, mounts: readonly MountFact[]): MountFact | undefined {
  return findMountOf(place.path, mounts);
}

/** The container engine that paddock itself is under, by the marks that engines leave. */
function findEngine({ exists, readText }: Examined): string | undefined {
  if (exists("/.dockerenv")) return "in a container of docker's";
  if (exists("/run/.containerenv")) return "in a container of podman's";
  const manager = readText("/run/systemd/container")?.trim() ??
    /(?:^|\0)container=([^\0]+)/.exec(readText("/proc/1/environ") ?? "")?.[1];
  return manager === undefined ? undefined : `in a container of ${manager}`;
}
