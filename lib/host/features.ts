/**
 * How each kernel feature is tried: by a call that cannot do anything, and whose error tells whether the kernel (or a
 * seccomp filter around paddock) knows it.
 *
 * @module
 */
import { syscall } from "../kernel/syscall.ts";
import { type Feature, FEATURES } from "./facts.ts";
import { isKernelAtLeast, type KernelVersion } from "./kernel_version.ts";

/** What was read before, and helps to answer. */
export interface FeatureContext {
  readonly version: KernelVersion;
  /** Effective user id: without root, some calls answer EPERM before anything else. */
  readonly uid: number;
  /** The text of `/proc/filesystems`. */
  readonly filesystems: string;
  /** Gives the text of a file, or `undefined` where there is none. */
  readText(path: string): string | undefined;
}

/** Tries every feature. About twenty system calls and two small files: some tens of microseconds. */
export function probeFeatures(context: FeatureContext): Record<Feature, boolean> {
  return Object.fromEntries(FEATURES.map((feature) => [feature, PROBES[feature](context)])) as Record<Feature, boolean>;
}

const EPERM = 1;
const EBADF = 9;
const EFAULT = 14;
const ENODEV = 19;
const EINVAL = 22;
const ENOSYS = 38;

const AT_FDCWD = -100;
const INVALID_FLAGS = 0xffff_ffff;
const CLOSE_RANGE_CLOEXEC = 4;
const NO_DESCRIPTOR = 0x7fff_fff0;
const SECCOMP_SET_MODE_FILTER = 1;
const BPF_PROG_DETACH = 9;
const BPF_CGROUP_DEVICE = 6;

const PROBES: Record<Feature, (context: FeatureContext) => boolean> = {
  // A struct smaller than its first version: EINVAL from a kernel that looks, ENOSYS from one that has no such call,
  // EPERM from a seccomp filter of an old container engine.
  openat2: () => syscall("openat2", AT_FDCWD, "/", null, 0) === -EINVAL,
  clone3: () => syscall("clone3", null, 0) === -EINVAL,
  mount_setattr: () => syscall("mount_setattr", -1, "", 0, null, 0) === -EINVAL,
  open_tree: () => syscall("open_tree", -1, "", INVALID_FLAGS) === -EINVAL,
  // 5.9 has the call but not the flag (5.11), and every use that paddock makes of it has the flag.
  close_range: () => syscall("close_range", NO_DESCRIPTOR, NO_DESCRIPTOR, CLOSE_RANGE_CLOEXEC) === 0,
  pidfd_open: () => syscall("pidfd_open", -1, 0) === -EINVAL,
  execveat_memfd: ({ version, readText }) => {
    const known = syscall("memfd_create", "", INVALID_FLAGS) === -EINVAL &&
      syscall("execveat", -1, "", null, null, INVALID_FLAGS) === -EINVAL;
    // 2: no executable memory file at all (Documentation/admin-guide/sysctl/vm.rst). There is no such file before 6.3,
    // and looking for what is not there costs an exception.
    const forbidden = isKernelAtLeast(version, 6, 3) && readText("/proc/sys/vm/memfd_noexec")?.trim() === "2";
    return known && !forbidden;
  },
  overlay: (context) => hasFilesystem("overlay", context),
  // The option cannot be asked for without mounting; unknown options fail the mount.
  overlay_volatile: (context) => isKernelAtLeast(context.version, 5, 10) && hasFilesystem("overlay", context),
  time_namespace: () => exists("/proc/self/ns/time"),
  // Before 6.1 (and 5.15's last stable releases) a vforked child that execs keeps its parent's time namespace.
  time_namespace_on_exec: ({ version }) => isKernelAtLeast(version, 6, 1) && exists("/proc/self/ns/time"),
  user_namespace: ({ readText }) =>
    exists("/proc/self/ns/user") && readText("/proc/sys/user/max_user_namespaces")?.trim() !== "0",
  cgroup_namespace: () => exists("/proc/self/ns/cgroup"),
  mqueue: ({ filesystems }) => listsFilesystem("mqueue", filesystems),
  bpf_cgroup_device: ({ version, uid }) => {
    // Detaching "no program" from "no cgroup": EBADF once the kernel has understood the attach type, EINVAL where it
    // was built without BPF for cgroups.
    const attributes = new Uint8Array(16);
    const view = new DataView(attributes.buffer);
    view.setInt32(0, -1, true);
    view.setUint32(8, BPF_CGROUP_DEVICE, true);
    const answer = syscall("bpf", BPF_PROG_DETACH, attributes, attributes.length);
    return answer === -EBADF || (answer === -EPERM && uid !== 0 && isKernelAtLeast(version, 4, 15));
  },
  // A filter without a program: EFAULT from a kernel that would look at it, EINVAL from one that has none.
  seccomp_filter: () => syscall("seccomp", SECCOMP_SET_MODE_FILTER, 0, null) === -EFAULT,
};

/** True where `/proc/filesystems` lists the type. */
export function listsFilesystem(type: string, filesystems: string): boolean {
  return filesystems.split("\n").some((line) => line.slice(line.indexOf("\t") + 1) === type);
}

/**
 * True where the type can be mounted. Most distributions build overlay as a module that is loaded, and listed, only
 * after somebody asked for it: asking is what `fsopen` does, and on older kernels a mount that must fail for the want
 * of its directories.
 */
function hasFilesystem(type: string, { filesystems, uid }: FeatureContext): boolean {
  if (listsFilesystem(type, filesystems)) return true;
  const opened = syscall("fsopen", type, 1);
  if (opened >= 0) return syscall("close", opened) === 0;
  // Without root nothing can be asked; what is planned then is only shown.
  if (opened === -EPERM) return uid !== 0;
  if (opened === -ENOSYS) return syscall("mount", type, "/", type, 0, "") === -EINVAL;
  return opened !== -ENODEV;
}

function exists(path: string): boolean {
  return syscall("faccessat", AT_FDCWD, path, 0) === 0;
}
