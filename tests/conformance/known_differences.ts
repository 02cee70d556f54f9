/**
 * Where a runtime is known not to hold to a sentence, and why. Such a test must fail: one that does not belongs here no
 * more.
 *
 * @module
 */
import type { Runtime } from "./runtimes.ts";

/** A runtime, and the sentences that it does not hold to for one reason. */
export interface Difference {
  readonly runtime: Runtime["name"];
  /** The version that was seen to differ; tests of other versions are ignored. Not given for paddock. */
  readonly version?: string;
  readonly reason: string;
  /** True where it holds to them now and then; the tests are ignored. */
  readonly sometimes?: true;
  readonly rules: readonly string[];
}

const RUNC = { runtime: "runc", version: "1.1.5" } as const;
const CRUN = { runtime: "crun", version: "1.8.1" } as const;

const DELETE_CREATED = "runtime.md/delete: one that is created and not started is an error, and has no effect";

/** Of paddock: what engines that know runc count on. */
const OF_PADDOCK: readonly Difference[] = [
  {
    runtime: "paddock",
    reason: "as with runc and crun it goes: engines clear away so what they never started",
    rules: [DELETE_CREATED],
  },
];

const OF_RUNC: readonly Difference[] = [
  { ...RUNC, reason: "it is ended and deleted", rules: [DELETE_CREATED] },
  {
    ...RUNC,
    reason: "two can win, for it looks first and makes the directory later",
    sometimes: true,
    rules: ["runtime.md/create: of many at once with one id exactly one makes a container"],
  },
  {
    ...RUNC,
    reason: "the others can wait for ever at the fifo",
    sometimes: true,
    rules: ["runtime.md/start: of many at once one starts it, and the command runs once"],
  },
  {
    ...RUNC,
    reason: "it does not look at the version",
    rules: [
      ...["", "1", "1.0", "v1.0.0", "one"].map((version) =>
        `config.md/specification-version: it is in the form of semver, and '${version}' is not`
      ),
      "config.md/specification-version: it is required",
      "config.md/specification-version: a major version that is not understood is an error",
    ],
  },
  {
    ...RUNC,
    reason: "what is not there is the empty value of its type",
    rules: [
      "config.md/annotations: keys are not empty",
      "config.md/annotations: values are texts, and null is none",
      "config.md/process/rlimits: soft is required",
      "config.md/process/rlimits: hard is required",
      "config-linux.md/user-namespace-mappings: containerID is required",
      "config-linux.md/user-namespace-mappings: hostID is required",
      "config-linux.md/devices: path is required",
      "config-linux.md/devices: major is required",
      "config-linux.md/devices: minor is required",
    ],
  },
  {
    ...RUNC,
    reason: "it takes the word for the filesystem's own",
    rules: ["config.md/mounts/options: defaults is understood"],
  },
  {
    ...RUNC,
    reason: "the kernel refuses what it asks for",
    rules: ["config.md/mounts/options: ratime goes for the mount and those below"],
  },
  {
    ...RUNC,
    reason: "a user namespace that is joined needs maps for it",
    rules: ["config-linux.md/namespaces: with a path it is the one at that path: user"],
  },
  {
    ...RUNC,
    reason: "a file that is there is left",
    rules: [
      "config-linux.md/devices: another file at path is an error",
      "config-linux.md/devices: another device at path is an error",
    ],
  },
  {
    ...RUNC,
    reason: "its own process cannot open it then",
    rules: ["config-linux.md/devices: one of the default devices has the mode and the owner that are asked for"],
  },
  {
    ...RUNC,
    reason: "the mount that it makes of the root filesystem is not in the group",
    rules: ["config-linux.md/rootfs-mount-propagation: the root is shared"],
  },
  {
    ...RUNC,
    reason: "it cannot bind the root filesystem to itself then",
    rules: ["config-linux.md/rootfs-mount-propagation: the root is unbindable"],
  },
  {
    ...RUNC,
    reason: "it is taken as it is, and is not there",
    rules: [
      "config-linux.md/masked-paths: a path that is not absolute is an error",
      "config-linux.md/readonly-paths: a path that is not absolute is an error",
    ],
  },
  {
    ...RUNC,
    reason: "without a schema it does nothing",
    rules: ["config-linux.md/intel-rdt: without a resctrl filesystem it is an error: closID"],
  },
  {
    ...RUNC,
    reason: "it does not know the field",
    rules: [
      "config-linux.md/personality: LINUX32 is what uname tells of",
      "config-linux.md/personality: domain is required",
      "config-linux.md/personality: there are no flags",
      'config.md/valid-values: one that cannot be is an error: linux.personality.domain in {"linux":{"personality":' +
      '{"domain":"NOSUCH"}}}',
    ],
  },
];

const HOOK_FAILS =
  "runtime.md/lifecycle: a startContainer hook that fails is an error of start, and the command does " +
  "not run";
const ORDER = "config.md/hooks: prestart, createRuntime and createContainer are called by create, in that order";

const HOOKS_AND_SECCOMP: readonly Difference[] = [
  {
    ...RUNC,
    reason: "poststart is called by create, before the command runs",
    rules: [
      ORDER,
      "config.md/hooks: startContainer and poststart are called by start, around the command's beginning",
      "config.md/hooks: poststop is called by delete, before it returns",
      "config.md/hooks: the state is on standard input: poststart",
    ],
  },
  { ...RUNC, reason: "start does not wait for it", rules: [HOOK_FAILS] },
  {
    ...RUNC,
    reason: "the others are not called",
    rules: ["runtime.md/lifecycle: a poststop hook that fails is a warning, and the others are called"],
  },
  {
    ...RUNC,
    reason: "it does not know some of them",
    rules: ["config-linux.md/seccomp: every architecture of the list is one"],
  },
  {
    ...RUNC,
    reason: "it takes no flags",
    rules: ["TSYNC", "LOG", "SPEC_ALLOW"].map((flag) =>
      `config-linux.md/seccomp: SECCOMP_FILTER_FLAG_${flag} is a flag`
    ),
  },
  {
    ...RUNC,
    reason: "it is passed over",
    rules: [
      "config-linux.md/seccomp/syscalls: names has one entry at least",
      "config-linux.md/seccomp/syscalls: names is required",
      "config-linux.md/seccomp/syscalls: errnoRet with an action that gives none is an error",
      "config-linux.md/seccomp: defaultErrnoRet with an action that gives none is an error",
      "config-linux.md/seccomp/syscalls/args: index is required",
      "config-linux.md/seccomp/syscalls/args: value is required",
      "config-linux.md/seccomp: listenerMetadata is not without listenerPath",
    ],
  },
  {
    ...CRUN,
    reason: "the state has no pid, or another bundle, in the container's namespaces",
    rules: ["createContainer", "startContainer"].map((name) =>
      `config.md/hooks: the state is on standard input: ${name}`
    ),
  },
  {
    ...CRUN,
    reason: "start can return before startContainer was called",
    sometimes: true,
    rules: ["config.md/hooks: startContainer and poststart are called by start, around the command's beginning"],
  },
  {
    ...CRUN,
    reason: "0 is no limit to it",
    rules: ["config.md/hooks: timeout is greater than zero, and 0 is an error"],
  },
  {
    ...CRUN,
    reason: "they are not called then",
    rules: ["runtime.md/lifecycle: when a hook of create fails poststop is called"],
  },
  { ...CRUN, reason: "start does not wait for it", rules: [HOOK_FAILS] },
  {
    ...CRUN,
    reason: "it does not know some of them",
    rules: ["config-linux.md/seccomp: every architecture of the list is one"],
  },
  {
    ...CRUN,
    reason: "it is passed over",
    rules: [
      "config-linux.md/seccomp/syscalls: names has one entry at least",
      "config-linux.md/seccomp/syscalls/args: index is required",
      "config-linux.md/seccomp/syscalls/args: value is required",
      "config-linux.md/seccomp: listenerMetadata is not without listenerPath",
    ],
  },
  {
    ...CRUN,
    reason: "it connects whenever there is a path",
    rules: ["config-linux.md/seccomp: listenerPath is ignored where nothing notifies"],
  },
  {
    ...CRUN,
    reason: "ociVersion is that of the state's own format",
    rules: [
      "config-linux.md/container-process-state: it is sent once, as JSON, with all that is required, and it closes",
    ],
  },
  {
    ...CRUN,
    reason: "it has words of its own; engines look for those as well",
    rules: [
      ...["state", "start", "kill", "delete", "pause", "resume"].map((verb) =>
        `engines/containerd: ${verb} of a container that does not exist says "does not exist"`
      ),
      'engines/containerd: kill of one that has stopped says "container not running"',
      "engines/log: with --log-format json an error is a line with level, msg and time",
    ],
  },
];

const OF_CRUN: readonly Difference[] = [
  { ...CRUN, reason: "it is ended and deleted", rules: [DELETE_CREATED] },
  {
    ...CRUN,
    reason: "it is one for crun",
    rules: ['runtime.md/create: an id that is not valid is an error: "a b"'],
  },
  {
    ...CRUN,
    reason: "a name that it does not know is none to it",
    rules: ["runtime.md/kill: a signal that there is not is an error, and nothing changes"],
  },
  {
    ...CRUN,
    reason: "it looks at the beginning of the version",
    rules: ["1.0", "v1.0.0"].map((version) =>
      `config.md/specification-version: it is in the form of semver, and '${version}' is not`
    ),
  },
  {
    ...CRUN,
    reason: "a value of another type is none to it",
    rules: [
      "config.md/annotations: it is a map",
      ...[
        'hostname in {"hostname":7}',
        'process.args in {"process":{"args":"sh"}}',
        'process.user.uid in {"process":{"user":{"uid":"root","gid":0}}}',
        'process.terminal in {"process":{"terminal":"no"}}',
        'linux.resources.memory.limit in {"linux":{"resources":{"memory":{"limit":"much"}}}}',
        'linux.resources.pids.limit in {"linux":{"resources":{"pids":{"limit":"many"}}}}',
        'linux.maskedPaths in {"linux":{"maskedPaths":"/proc/kcore"}}',
      ].map((what) => `config.md/valid-values: one that cannot be is an error: ${what}`),
    ],
  },
  {
    ...CRUN,
    reason: "what is not there is the empty value of its type",
    rules: [
      "config.md/annotations: keys are not empty",
      "config.md/process/args: one entry at least is required: the field is not there",
      "config.md/process/rlimits: soft is required",
      "config.md/process/rlimits: hard is required",
      "config-linux.md/user-namespace-mappings: containerID is required",
      "config-linux.md/user-namespace-mappings: hostID is required",
      "config-linux.md/devices: major is required",
      "config-linux.md/devices: minor is required",
    ],
  },
  {
    ...CRUN,
    reason: "it begins at the root",
    rules: ["config.md/process/cwd: a relative path is an error"],
  },
  {
    ...CRUN,
    reason: "a word that it does not know is passed over",
    rules: [
      "config-linux.md/rootfs-mount-propagation: another word is an error",
      "config-linux.md/devices: a type that there is not is an error",
      "config.md/valid-values: one that cannot be is an error: linux.devices[0].type in " +
      '{"linux":{"devices":[{"type":"x","path":"/dev/x","major":1,"minor":3}]}}',
      'config.md/valid-values: one that cannot be is an error: linux.rootfsPropagation in {"linux":' +
      '{"rootfsPropagation":"nosuch"}}',
      "config-linux.md/personality: there are no flags",
    ],
  },
  {
    ...CRUN,
    reason: "it takes the word for the filesystem's own",
    rules: ["silent", "loud", "iversion", "noiversion", "nosymfollow", "nosymfollow,symfollow"].map((words) =>
      `config.md/mounts/options: ${words} is understood`
    ),
  },
  {
    ...CRUN,
    reason: "the kernel refuses what it asks for",
    rules: ["rnoatime", "ratime", "rstrictatime", "rnosymfollow", "rnodiratime", "rdiratime"].map((words) =>
      `config.md/mounts/options: ${words} goes for the mount and those below`
    ),
  },
  {
    ...CRUN,
    reason: "a word that clears does not undo one that sets before it",
    rules: ["ro,rw", "nosuid,suid", "nodev,dev", "noexec,exec", "noatime,atime", "nodiratime,diratime"].concat(
      ["strictatime,nostrictatime", "sync,async"],
    ).map((words) => `config.md/mounts/options: ${words} is understood`),
  },
  {
    ...CRUN,
    reason: "afterwards it makes all mounts private",
    rules: ["shared", "rshared", "unbindable", "runbindable"].map((word) =>
      `config.md/mounts/options: ${word} is how the mount is shared`
    ),
  },
  {
    ...CRUN,
    reason: "it does not look for a second one",
    rules: ["pid", "network", "mount", "ipc", "uts"].map((type) =>
      `config-linux.md/namespaces: a type twice is an error: ${type}`
    ),
  },
  {
    ...CRUN,
    reason: "a file that is there is left",
    rules: [
      "config-linux.md/devices: another file at path is an error",
      "config-linux.md/devices: another device at path is an error",
    ],
  },
  {
    ...CRUN,
    reason: "the mode is set and the owner is not",
    rules: ["config-linux.md/devices: one of the default devices has the mode and the owner that are asked for"],
  },
  {
    ...CRUN,
    reason: "it begins at the root",
    rules: [
      "config-linux.md/masked-paths: a path that is not absolute is an error",
      "config-linux.md/readonly-paths: a path that is not absolute is an error",
    ],
  },
  {
    ...CRUN,
    reason: "it does nothing then",
    rules: [
      "config-linux.md/mount-label: without SELinux it is an error",
      ...["closID", "l3CacheSchema", "memBwSchema"].map((name) =>
        `config-linux.md/intel-rdt: without a resctrl filesystem it is an error: ${name}`
      ),
      "config-linux.md/intel-rdt: memBwSchema begins with MB:",
    ],
  },
];

/** All of them. */
export const DIFFERENCES: readonly Difference[] = [...OF_PADDOCK, ...OF_RUNC, ...OF_CRUN, ...HOOKS_AND_SECCOMP];
