/**
 * A container in a user namespace: its root is nobody on the host (`man 7 user_namespaces`).
 *
 * The maps are written from outside, and the layers of the rootfs are shown with shifted owners (`man 2 mount_setattr`,
 * MOUNT_ATTR_IDMAP), which takes the host's root. So the two sides have to talk:
 *
 * ```
 *   launcher                                   container
 *   unshare a mount namespace of its own
 *   clone ───────────────────────────────────▶ enter cgroups
 *   write uid_map, gid_map                     wait (futex "go")
 *   mount the layers with shifted owners
 *   go = 1, wake ────────────────────────────▶ unshare the mount namespace, owned by the user namespace
 *   wait (futex "vm")                          open the rootfs, become root inside, mounts, pivot, … exec
 *   ◀──────────────────────────────────────── the kernel clears "vm" at exec or exit (CLONE_CHILD_CLEARTID)
 *   see whether it has started
 * ```
 *
 * Both run at once here, in one memory: neither writes where the other reads, but for the two futexes.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { quoteShell } from "../base/text.ts";
import type { Facts } from "../host/facts.ts";
import { BUILT_IN } from "../program/layout.ts";
import { type Act, type Arg, AT_FDCWD, flags, previous, type Region, type Step, step, text } from "../program/step.ts";
import type { Config, IdMapping } from "../spec/config.ts";
import { CHILD } from "./monitor.ts";
import { planShiftedRootfs } from "./rootfs.ts";
import type { Setting } from "./setting.ts";
import { SHIFT_REGIONS, SHIFTED_USERNS } from "./shift.ts";

/** Memory by which the two sides talk. */
export const USER_NAMESPACE_REGIONS: Readonly<Record<string, Region>> = {
  go: { size: 8 },
  vm: { size: 8, fields: [{ at: 0, size: 8, value: 1 }] },
  procDirectory: { size: 8 },
  ...SHIFT_REGIONS,
};

const FUTEX_WAIT = 0;
const FUTEX_WAKE = 1;

/**
 * @throws PaddockError where this kernel cannot show files with other owners.
 */
export function checkUserNamespace(facts: Facts): void {
  if (!facts.has.user_namespace) {
    throw new PaddockError(`this kernel (${facts.release}) has no user namespaces, or they are turned off`, {
      hint: "see /proc/sys/user/max_user_namespaces, or leave --userns away",
    });
  }
  if (!facts.has.mount_setattr) {
    throw new PaddockError(
      `a user namespace needs mounts with shifted owners, which came with Linux 5.12 (this is ${facts.release})`,
      {
        hint: "leave --userns away, and run as an ordinary user (--user) instead",
      },
    );
  }
}

/** Before the clone: mounts that the host must not see, and the container will inherit. */
export function planOwnMounts(): Act {
  return {
    what: "leave the host's mount namespace",
    why: "the rootfs is mounted by the host's root, for the container's may not; here the host does not see it",
    shell: ["unshare --mount --propagation slave"],
    steps: [
      step("unshare", [flags("CLONE_NEWNS")]),
      step("mount", [0, text("/"), 0, flags("MS_SLAVE", "MS_REC"), 0]),
    ],
  };
}

/** In the launcher: the child's network namespace, once the child was found. */
export const CHILD_NETWORK: readonly Step[] = [
  step("openat", [{ load: "procDirectory" }, text("ns/net"), flags("O_RDONLY", "O_CLOEXEC")]),
];

/**
 * After the clone: maps, layers, and the word to go on. Its section's fault ends the waiting child.
 *
 * @param others what else takes the host's root while the child waits
 */
export function planMapping(config: Config, facts: Facts, setting: Setting, others: readonly Act[] = []): Act[] {
  return [
    findProcess({ pid: { load: CHILD }, key: "child", directory: "procDirectory" }),
    writeMap("uid_map", config.linux.uidMappings ?? [], "procDirectory"),
    writeMap("gid_map", config.linux.gidMappings ?? [], "procDirectory"),
    {
      what: "open the container's user namespace",
      why: "mounts are told by it how owners are shifted",
      shell: ["exec 9</proc/$CHILD/ns/user"],
      steps: [
        step("openat", [{ load: "procDirectory" }, text("ns/user"), flags("O_RDONLY", "O_CLOEXEC")]),
        step("@store", [SHIFTED_USERNS, previous()]),
      ],
    },
    ...planShiftedRootfs(config, facts, setting),
    ...others,
    {
      what: "let the container go on, and wait for its exec",
      why: "the kernel clears a word in memory when the child leaves it, by its exec or by its end",
      shell: [],
      steps: [
        step("@store", [{ region: "go" }, 1]),
        step("futex", [{ region: "go" }, FUTEX_WAKE, 1, 0, 0, 0], { onNegative: "next" }),
        ...(setting.creation === undefined ? waitForExec() : []),
      ],
    },
  ];
}

function waitForExec(): Step[] {
  return [
    step("@and", [{ load: "vm" }, 0xffffffff], { label: "mapped.wait", onZero: "end" }),
    step("futex", [{ region: "vm" }, FUTEX_WAIT, 1, 0, 0, 0], { onNegative: "mapped.wait", onZero: "mapped.wait" }),
  ];
}

/** A process whose `/proc/PID` is wanted. */
export interface ProcessSearch {
  readonly pid: Arg;
  /** Unique in the plan: stands in labels. */
  readonly key: string;
  /** The region that gets a descriptor of the directory. */
  readonly directory: string;
}

/**
 * `/proc/PID` of a process. A number in a path must not begin with a zero, so there is a text for each length, and the
 * one that fits the number is filled in.
 */
export function findProcess({ pid, key, directory }: ProcessSearch): Act {
  const lengths = [1, 2, 3, 4, 5, 6, 7];
  const path = (length: number) => `/proc/${"0".repeat(length)}`;
  return {
    what: `find the ${key === "child" ? "container's first" : "helper's"} process in /proc`,
    why: "its id maps are written there",
    shell: [key === "child" ? "CHILD=$!" : "HELPER=$!"],
    steps: [
      ...lengths.map((length) => step("@sub", [pid, 10 ** length], { onNegative: `${key}.${length}` })),
      ...lengths.flatMap((length) => [
        step("@digits", [pid, { text: path(length), offset: "/proc/".length }, length], { label: `${key}.${length}` }),
        step("openat", [AT_FDCWD, text(path(length)), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC")]),
        step("@store", [{ region: directory }, previous()], { onZero: "end", onPositive: "end" }),
      ]),
    ],
  };
}

/** One of the two maps, written from outside; `directory` is the region with the descriptor of `/proc/PID`. */
export function writeMap(file: "uid_map" | "gid_map", mappings: readonly IdMapping[], directory: string): Act {
  const lines = mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
  return {
    what: `write ${file}`,
    why: mappings.map(({ containerID, hostID, size }) =>
      `ids from ${containerID} in the container are ids from ${hostID} on the host, ${size} of them`
    ).join("; "),
    shell: [`printf ${quoteShell(lines.replaceAll("\n", "\\n"))} > /proc/$CHILD/${file}`],
    steps: [
      step("openat", [{ load: directory }, text(file), flags("O_WRONLY", "O_CLOEXEC")]),
      step("write", [previous(), text(lines), new TextEncoder().encode(lines).length]),
      step("close", [previous(2)]),
    ],
  };
}

/** In the child: waits for the maps, and then takes a mount namespace that its user namespace owns. */
export function planWaitForMaps(): Act {
  return {
    what: "wait for the id maps",
    why: "until they are written this process is nobody in its own namespace",
    shell: [],
    steps: [
      step("@add", [{ load: "go" }, 0], { label: "maps", onPositive: "maps.written" }),
      step("futex", [{ region: "go" }, FUTEX_WAIT, 0, 0, 0, 0], { onNegative: "maps", onZero: "maps" }),
      step("unshare", [flags("CLONE_NEWNS")], { label: "maps.written" }),
    ],
  };
}

/** In the child, once the rootfs is open: from here on it makes files as the container's root. */
export function planBecomeRoot(): Act {
  return {
    what: "become root of the user namespace",
    why: "the host's root has no name in here, and files cannot belong to it",
    shell: ["setpriv --reuid=0 --regid=0 --clear-groups"],
    steps: [
      step("setgroups", [0, { block: { size: 8, fields: [] } }]),
      step("setresgid", [0, 0, 0]),
      step("setresuid", [0, 0, 0]),
    ],
  };
}

/** Where the launcher goes when a step fails while the child waits: it is ended first. */
export function planMappingFault(): Act {
  return {
    what: "end the waiting child",
    why: "it would wait for ever",
    shell: [],
    steps: [
      step("@origin", [], { label: "mapping.fault" }),
      step("@store", [{ region: BUILT_IN.fault }, previous()]),
      step("kill", [{ load: CHILD }, 9], { onNegative: "next" }),
      step("wait4", [{ load: CHILD }, { region: BUILT_IN.status }, 0, 0], {
        onNegative: "leftovers",
        onPositive: "leftovers",
      }),
    ],
  };
}
