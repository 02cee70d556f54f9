/**
 * The profile of a container that asks for none: docker's in effect (moby's default profile as of 2025).
 *
 * What it allows is what programs need; what it leaves out is what they do not, and where holes in kernels have been:
 * loading modules, mounting, new user namespaces, tracing of the kernel, its keyrings, io_uring. A capability that the
 * container has brings the calls that are of use with it.
 *
 * @module
 */
import type { Arch } from "../../program/step.ts";
import type { Seccomp, SeccompArgument, SeccompRule } from "../../spec/config.ts";
import { MACHINE_INTERFACES } from "./architectures.ts";

/**
 * The default profile.
 *
 * @param capabilities the bounding set, names such as `CAP_SYS_ADMIN`.
 */
export function defaultSeccomp(arch: Arch, capabilities: readonly string[]): Seccomp {
  const names = Object.values(ALLOWED).join(" ");
  const granted = capabilities.flatMap((name) => BY_CAPABILITY[name] ?? []).join(" ");
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: EPERM,
    architectures: MACHINE_INTERFACES[arch],
    syscalls: [
      allow(`${names} ${BY_MACHINE[arch]}${granted === "" ? "" : ` ${granted}`}`),
      ...SOCKET_FAMILIES.map((argument) => allow("socket", argument)),
      ...PERSONALITIES.map((value) => allow("personality", { index: 0, op: "SCMP_CMP_EQ", value })),
      ...(capabilities.includes("CAP_SYS_ADMIN") ? [] : WITHOUT_NAMESPACES),
    ],
  };
}

const EPERM = 1;
const ENOSYS = 38;

function allow(names: string, ...args: readonly SeccompArgument[]): SeccompRule {
  return { names: names.split(" "), action: "SCMP_ACT_ALLOW", ...(args.length === 0 ? {} : { args }) };
}

/** What every container may call, by what it is about. */
const ALLOWED: Readonly<Record<string, string>> = {
  descriptors:
    "read readv pread64 preadv preadv2 write writev pwrite64 pwritev pwritev2 close close_range dup dup2 dup3 fcntl " +
    "fcntl64 flock ioctl lseek _llseek pipe pipe2 sendfile sendfile64 splice tee vmsplice copy_file_range readahead " +
    "fadvise64 fadvise64_64 sync syncfs fsync fdatasync sync_file_range",
  waiting: "poll ppoll ppoll_time64 select _newselect pselect6 pselect6_time64 epoll_create epoll_create1 epoll_ctl " +
    "epoll_ctl_old epoll_wait epoll_wait_old epoll_pwait epoll_pwait2 eventfd eventfd2 signalfd signalfd4 " +
    "inotify_init inotify_init1 inotify_add_watch inotify_rm_watch fanotify_mark " +
    "io_setup io_destroy io_submit io_cancel io_getevents io_pgetevents io_pgetevents_time64",
  files: "open openat openat2 creat mknod mknodat link linkat symlink symlinkat readlink readlinkat unlink unlinkat " +
    "rename renameat renameat2 mkdir mkdirat rmdir access faccessat faccessat2 truncate truncate64 ftruncate " +
    "ftruncate64 fallocate getdents getdents64 getcwd chdir fchdir umask name_to_handle_at memfd_create memfd_secret",
  attributes:
    "stat stat64 lstat lstat64 fstat fstat64 fstatat64 newfstatat statx statfs statfs64 fstatfs fstatfs64 statmount " +
    "listmount chmod fchmod fchmodat fchmodat2 chown chown32 fchown fchown32 lchown lchown32 fchownat utime utimes " +
    "futimesat utimensat utimensat_time64 getxattr lgetxattr fgetxattr getxattrat setxattr lsetxattr fsetxattr " +
    "setxattrat listxattr llistxattr flistxattr listxattrat removexattr lremovexattr fremovexattr removexattrat",
  memory:
    "brk mmap mmap2 munmap mremap mprotect madvise msync mincore mlock mlock2 mlockall munlock munlockall mseal " +
    "remap_file_pages pkey_alloc pkey_free pkey_mprotect map_shadow_stack membarrier process_mrelease",
  processes:
    "fork vfork execve execveat exit exit_group wait4 waitid waitpid kill tkill tgkill pidfd_open pidfd_send_signal " +
    "getpid getppid gettid getpgid getpgrp setpgid getsid setsid set_tid_address prctl seccomp landlock_add_rule " +
    "landlock_create_ruleset landlock_restrict_self ptrace process_vm_readv process_vm_writev uretprobe " +
    "get_thread_area set_thread_area riscv_hwprobe restart_syscall",
  users: "getuid getuid32 geteuid geteuid32 getgid getgid32 getegid getegid32 getresuid getresuid32 getresgid " +
    "getresgid32 setuid setuid32 setgid setgid32 setreuid setreuid32 setregid setregid32 setresuid setresuid32 " +
    "setresgid setresgid32 setfsuid setfsuid32 setfsgid setfsgid32 getgroups getgroups32 setgroups setgroups32 " +
    "capget capset",
  signals: "rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait " +
    "rt_sigtimedwait_time64 rt_tgsigqueueinfo sigaltstack sigprocmask sigreturn pause alarm",
  threads: "futex futex_time64 futex_wait futex_waitv futex_wake futex_requeue get_robust_list set_robust_list rseq",
  scheduling:
    "sched_yield sched_getaffinity sched_setaffinity sched_getattr sched_setattr sched_getparam sched_setparam " +
    "sched_getscheduler sched_setscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval " +
    "sched_rr_get_interval_time64 getpriority setpriority ioprio_get ioprio_set getcpu",
  limits: "getrlimit ugetrlimit setrlimit prlimit64 getrusage times sysinfo uname cachestat getrandom",
  time: "time gettimeofday adjtimex clock_adjtime clock_adjtime64 clock_getres clock_getres_time64 clock_gettime " +
    "clock_gettime64 clock_nanosleep clock_nanosleep_time64 nanosleep getitimer setitimer timer_create timer_delete " +
    "timer_getoverrun timer_gettime timer_gettime64 timer_settime timer_settime64 timerfd_create timerfd_gettime " +
    "timerfd_gettime64 timerfd_settime timerfd_settime64",
  sockets:
    "socketcall socketpair bind listen accept accept4 connect shutdown getsockname getpeername getsockopt setsockopt " +
    "send sendto sendmsg sendmmsg recv recvfrom recvmsg recvmmsg recvmmsg_time64",
  messages:
    "ipc shmget shmat shmctl shmdt semget semop semctl semtimedop semtimedop_time64 msgget msgsnd msgrcv msgctl " +
    "mq_open mq_unlink mq_notify mq_getsetattr mq_timedsend mq_timedsend_time64 mq_timedreceive mq_timedreceive_time64",
};

/** What is of use on one machine only, for programs of its 32-bit interfaces too. */
const BY_MACHINE: Readonly<Record<Arch, string>> = {
  x86_64: "arch_prctl modify_ldt",
  aarch64: "arm_fadvise64_64 arm_sync_file_range sync_file_range2 breakpoint cacheflush set_tls",
};

/** What a capability brings with it: without it these calls would be refused, or are a danger. */
const BY_CAPABILITY: Readonly<Record<string, string>> = {
  CAP_BPF: "bpf",
  CAP_DAC_READ_SEARCH: "open_by_handle_at",
  CAP_PERFMON: "perf_event_open",
  CAP_SYS_ADMIN: "clone clone3 unshare setns mount umount umount2 mount_setattr move_mount open_tree fsopen fsconfig " +
    "fsmount fspick quotactl quotactl_fd sethostname setdomainname bpf fanotify_init perf_event_open syslog " +
    "lookup_dcookie lsm_get_self_attr lsm_set_self_attr lsm_list_modules",
  CAP_SYS_BOOT: "reboot",
  CAP_SYS_CHROOT: "chroot",
  CAP_SYSLOG: "syslog",
  CAP_SYS_MODULE: "init_module finit_module delete_module",
  CAP_SYS_NICE: "get_mempolicy set_mempolicy set_mempolicy_home_node mbind",
  CAP_SYS_PACCT: "acct",
  CAP_SYS_PTRACE: "kcmp pidfd_getfd process_madvise",
  CAP_SYS_RAWIO: "iopl ioperm",
  CAP_SYS_TIME: "settimeofday stime clock_settime clock_settime64",
  CAP_SYS_TTY_CONFIG: "vhangup",
};

/** Capabilities that bring calls with them; others make no difference to the profile. */
export const CALLS_OF_CAPABILITIES: readonly string[] = Object.keys(BY_CAPABILITY);

/**
 * Sockets of these families (`AF_*` of `linux/socket.h`), and not of: AF_ALG (38), whose crypto has had holes; AF_VSOCK
 * (40), which leads past the network namespace to the machine's own host; and old ones that hardly anybody uses: DECnet
 * (12), Econet (19), ATM (20), IrDA (23), WANPIPE (25), ISDN (34), CAIF (37).
 */
const SOCKET_FAMILIES: readonly SeccompArgument[] = [
  { index: 0, op: "SCMP_CMP_LT", value: 12 },
  ...[13, 14, 15, 16, 17, 18, 21, 22, 24, 26, 27, 28, 29, 30, 31, 32, 33, 35, 36, 39, 41, 42, 43, 44, 45].map((
    value,
  ): SeccompArgument => ({ index: 0, op: "SCMP_CMP_EQ", value })),
];

/**
 * `PER_LINUX`, `PER_LINUX32`, each with `UNAME26`, and the question which it is (`linux/personality.h`). Any other
 * could switch off randomized addresses.
 */
const PERSONALITIES: readonly number[] = [0x0, 0x8, 0x20000, 0x20008, 0xffffffff];

/** `CLONE_NEWNS`, `NEWCGROUP`, `NEWUTS`, `NEWIPC`, `NEWUSER`, `NEWPID`, `NEWNET` (`linux/sched.h`). */
const NAMESPACE_FLAGS = 0x7e020000;

/**
 * Processes, but no namespaces. A filter cannot look into the struct of clone3: the C library is told that there is no
 * such call, and takes clone.
 */
const WITHOUT_NAMESPACES: readonly SeccompRule[] = [
  allow("clone", { index: 0, op: "SCMP_CMP_MASKED_EQ", value: NAMESPACE_FLAGS, valueTwo: 0 }),
  { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: ENOSYS },
];
