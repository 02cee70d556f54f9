/**
 * Why the kernel refused something on a cgroup, and what to do: errno alone says little there.
 *
 * @module
 */

/** What failed: the call, its path, and the name of the error. */
export interface CgroupFault {
  readonly call: string;
  readonly path: string;
  readonly code: string;
}

/** The reason and the way out as one sentence; absent where there is nothing to add to the error's own meaning. */
export function explainCgroupFault({ call, path, code }: CgroupFault): string | undefined {
  const file = path.slice(path.lastIndexOf("/") + 1);
  const directory = path.slice(0, path.lastIndexOf("/"));
  const row = TABLE.find((row) => row.on.test(row.of === "call" ? call : file) && row.codes.includes(code));
  return row?.say.replaceAll("DIR", directory).replaceAll("FILE", file).replaceAll("PATH", path);
}

interface Row {
  readonly of: "call" | "file";
  readonly on: RegExp;
  readonly codes: readonly string[];
  readonly say: string;
}

/** The first row that fits has the word; what each code means on each file stands in the kernel's cgroup documentation. */
const TABLE: readonly Row[] = [
  {
    of: "call",
    on: /^mkdirat$/,
    codes: ["EEXIST"],
    say: "a container of this name is running, or one was left behind; see 'paddock ps -a', remove what is left with " +
      "'paddock gc'",
  },
  {
    of: "call",
    on: /^mkdirat$/,
    codes: ["EROFS", "EACCES", "EPERM"],
    say: "the hierarchy is not writable here, as inside another container; mount it read-write, or name one that was " +
      "handed down with --cgroup-parent",
  },
  {
    of: "call",
    on: /^mkdirat$/,
    codes: ["EAGAIN"],
    say: "a cgroup above allows no more directories (cgroup.max.descendants, cgroup.max.depth)",
  },
  {
    of: "call",
    on: /^bpf$/,
    codes: ["EPERM", "EACCES", "EINVAL"],
    say:
      "the kernel takes no device program from here; that needs CAP_BPF or CAP_SYS_ADMIN in the first user namespace, " +
      "and a kernel built with CONFIG_CGROUP_BPF",
  },
  {
    of: "file",
    on: /^cgroup\.subtree_control$/,
    codes: ["EBUSY"],
    say:
      "there are processes in DIR itself, and cgroup v2 hands controllers down only from a cgroup without any; move " +
      "them into one below it, or name another place with --cgroup-parent",
  },
  {
    of: "file",
    on: /^cgroup\.subtree_control$/,
    codes: ["ENOENT"],
    say: "the controller is not handed down to DIR; see DIR/cgroup.controllers, and enable it above",
  },
  {
    of: "file",
    on: /^cgroup\.(subtree_control|procs)$/,
    codes: ["ENOTSUP", "EOPNOTSUPP"],
    say: "DIR is in a threaded subtree, which takes no whole processes; name another place with --cgroup-parent",
  },
  {
    of: "file",
    on: /^(tasks|cgroup\.procs)$/,
    codes: ["ENOSPC"],
    say: "DIR has no processors or memory nodes; write cpuset.cpus and cpuset.mems of every cgroup above it",
  },
  {
    of: "file",
    on: /^(tasks|cgroup\.procs)$/,
    codes: ["EINVAL"],
    say: "paddock runs with a real-time priority, and DIR has no real-time processor time (cpu.rt_runtime_us)",
  },
  {
    of: "file",
    on: /^(memory\.memsw\.|memory\.swap\.)/,
    codes: ["ENOENT"],
    say:
      "this kernel does not count swap by container; boot with swapaccount=1, turn swap off (swapoff -a), or leave " +
      "the limit of swap out",
  },
  {
    of: "file",
    on: /^(memory\.(limit_in_bytes|memsw\.limit_in_bytes|max)|memory\.swap\.max)$/,
    codes: ["EBUSY"],
    say: "more than the limit is in use, and could not be reclaimed; give it more",
  },
  {
    of: "file",
    on: /^(io\.weight|blkio\.weight|io\.bfq\.weight|blkio\.weight_device)$/,
    codes: ["ENOENT"],
    say:
      "no scheduler with weights serves disks here (BFQ: modprobe bfq; or a kernel with CONFIG_BLK_CGROUP_IOCOST); " +
      "leave the weight out, or limit rates instead",
  },
  {
    of: "file",
    on: /^(io\.|blkio\.)/,
    codes: ["ENODEV", "ENXIO", "EINVAL"],
    say: "name a whole disk, not a partition of one, nor a device that is no disk (see 'lsblk')",
  },
  {
    of: "file",
    on: /^cpuset\.(cpus|mems)$/,
    codes: ["EINVAL", "ERANGE", "EACCES", "ENOSPC", "EBUSY"],
    say: "the cgroup above does not have all of these processors or nodes, or they are offline; see " +
      "/sys/devices/system/cpu/online and /sys/devices/system/node/online",
  },
  {
    of: "file",
    on: /^cpu\.(cfs_quota_us|cfs_period_us|max)$/,
    codes: ["EINVAL"],
    say: "a cgroup above has less processor time than this asks for",
  },
  {
    of: "file",
    on: /^cpu\.(cfs_burst_us|max\.burst|idle)$/,
    codes: ["ENOENT"],
    say: "this kernel has no FILE; bursts came with Linux 5.14, cpu.idle with 5.15",
  },
  {
    of: "file",
    on: /^hugetlb\./,
    codes: ["ENOENT"],
    say: "this machine has no huge pages of that size; see /sys/kernel/mm/hugepages",
  },
  {
    of: "file",
    on: /^devices\.(allow|deny)$/,
    codes: ["EPERM"],
    say: "the cgroup above refuses that device to everything below it, as inside another container",
  },
  {
    of: "file",
    on: /^[a-z]+\./,
    codes: ["ENOENT"],
    say: "this kernel has no FILE, or its controller is not handed down to DIR",
  },
];
