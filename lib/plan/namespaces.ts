/**
 * Namespaces: which are new, which are joined, and what is set up in them before the rootfs (`man 7 namespaces`).
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { quoteShell } from "../base/text.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, AT_FDCWD, type Block, flags, previous, step, text, writeFile } from "../program/step.ts";
import type { Config, NamespaceType } from "../spec/config.ts";
import { splitSysctl } from "../spec/sysctls.ts";
import { openTarget, TARGET_PATH } from "./targets.ts";

/** `CLONE_` flag and `unshare` option of each namespace. Time has no flag that `clone` takes. */
const FLAGS: Readonly<Record<NamespaceType, readonly [flag: string, option: string]>> = {
  mount: ["CLONE_NEWNS", "--mount"],
  pid: ["CLONE_NEWPID", "--pid --fork"],
  uts: ["CLONE_NEWUTS", "--uts"],
  ipc: ["CLONE_NEWIPC", "--ipc"],
  network: ["CLONE_NEWNET", "--net"],
  user: ["CLONE_NEWUSER", "--user"],
  cgroup: ["CLONE_NEWCGROUP", "--cgroup"],
  time: ["", "--time"],
};

/** True where the Config asks for a new namespace of that type. */
export function isNew(config: Config, type: NamespaceType): boolean {
  return config.linux.namespaces.some((namespace) => namespace.type === type && namespace.path === undefined);
}

/**
 * Flags of the `clone` that makes the container's first process. The cgroup namespace is not among them: its root is
 * the cgroup of who makes it, so it is made after the container's cgroup was entered.
 */
export function cloneFlags(config: Config): string[] {
  return config.linux.namespaces
    .filter(({ type, path }) => path === undefined && type !== "cgroup" && type !== "time")
    .map(({ type }) => FLAGS[type][0]);
}

/** The `unshare` options that a shell would use for the same. */
export function unshareOptions(config: Config): string {
  return config.linux.namespaces.filter(({ path }) => path === undefined).map(({ type }) => FLAGS[type][1]).join(" ");
}

/**
 * What the launcher does before the clone, for namespaces that only a child's exec enters, or that exist already.
 *
 * @param joiner true where a process between joins all others (`joined_user.ts`).
 */
export function planBeforeClone(config: Config, facts: Facts, joiner = false): Act[] {
  // The time namespace, too: a child that shares the launcher's memory may not enter one by itself.
  const joins = planJoins(config, (type) => (type === "pid" && !joiner) || type === "time");
  return [...planTime(config, facts), ...(joins.length === 0 ? [] : [rememberPid()]), ...joins];
}

/** Region with the descriptor of the launcher's own pid namespace: results of steps do not last until the end. */
export const OWN_PID = "pid.own";

function rememberPid(): Act {
  return {
    what: "remember the launcher's own pid namespace",
    why: "children are born in the one that is joined next; paddock, if it is executed at the end, has to go back",
    shell: [],
    steps: [
      step("openat", [AT_FDCWD, text("/proc/self/ns/pid"), flags("O_RDONLY", "O_CLOEXEC"), 0]),
      step("@store", [{ region: OWN_PID }, previous()]),
    ],
  };
}

/** Before paddock is executed: a process whose children are born elsewhere can make no threads (`man 7 pid_namespaces`). */
export function planReturn(config: Config, joiner = false): Act[] {
  if (joiner || !config.linux.namespaces.some(({ type, path }) => type === "pid" && path !== undefined)) return [];
  return [{
    what: "go back to the launcher's own pid namespace",
    why: "paddock makes threads, which must be born where it is",
    shell: [],
    steps: [step("setns", [{ load: OWN_PID }, flags("CLONE_NEWPID")], { onNegative: "next" })],
  }];
}

/**
 * The time namespace. The launcher makes it for its children and stays outside; a child that shares the launcher's
 * memory enters it with its exec (kernel 6.1, `fs/exec: switch timens when a task gets a new mm`).
 */
function planTime(config: Config, facts: Facts): Act[] {
  if (!isNew(config, "time")) return [];
  if (!facts.has.time_namespace || !facts.has.time_namespace_on_exec) {
    throw new PaddockError(`a time namespace needs a kernel from 6.1 that has them; this one is ${facts.release}`, {
      hint: "leave the time offsets away",
    });
  }
  const offsets = Object.entries(config.linux.timeOffsets ?? {});
  const lines = offsets.map(([clock, { secs = 0, nanosecs = 0 }]) => `${clock} ${secs} ${nanosecs}\n`);
  return [{
    what: "make a time namespace",
    why: "the container's monotonic and boot clocks are moved by the offsets asked for",
    shell: [`unshare --time`, ...lines.map((line) => `echo ${line.trim()} > /proc/self/timens_offsets`)],
    steps: [
      step("unshare", [0x80]), // CLONE_NEWTIME, which `clone` reads as part of the exit signal
      ...lines.flatMap((line) => writeFile("/proc/self/timens_offsets", line)),
    ],
  }];
}

/** The joins of a process between, which has the host's root yet: whoever they belong to may be another than whose ids are joined. */
export function planJoinsBefore(config: Config): Act[] {
  return planJoins(config, (type) => type !== "time" && type !== "user");
}

/**
 * What the child does first of all in its namespaces: those that are joined, the loopback device, the cgroup namespace.
 *
 * @param joiner true where a process between has joined them.
 */
export function planNamespaces(config: Config, joiner = false): Act[] {
  return [
    // The user namespace is joined before, or after: see joined_user.ts.
    ...planJoins(config, (type) => !joiner && !["pid", "time", "user"].includes(type)),
    ...(isNew(config, "cgroup") ? [cgroupNamespace()] : []),
    ...(isNew(config, "network") ? [loopback()] : []),
  ];
}

function planJoins(config: Config, wanted: (type: NamespaceType) => boolean): Act[] {
  const indexed = config.linux.namespaces.map((namespace, index) => ({ ...namespace, index }));
  const joined = indexed.filter(({ type, path }) => path !== undefined && wanted(type));
  // The mount namespace last: paths change with it.
  return joined.sort((a, b) => Number(a.type === "mount") - Number(b.type === "mount")).map((
    { type, path = "", index },
  ) => ({
    what: `join the ${type} namespace ${path} (linux.namespaces[${index}].path)`,
    why: "asked for: this namespace is shared with other processes",
    shell: [`nsenter ${FLAGS[type][1].split(" ")[0]}=${quoteShell(path)}`],
    steps: [
      step("openat", [AT_FDCWD, text(path), flags("O_RDONLY", "O_CLOEXEC")]),
      // The type is given so that a path to another kind of namespace is refused.
      step("setns", [previous(), type === "time" ? 0x80 : flags(FLAGS[type][0])]),
      step("close", [previous(2)]),
    ],
  }));
}

function cgroupNamespace(): Act {
  return {
    what: "make a cgroup namespace",
    why: "the container's own cgroup is the root of what it sees, and the host's tree is hidden",
    shell: ["unshare --cgroup"],
    steps: [step("unshare", [flags("CLONE_NEWCGROUP")])],
  };
}

/** `SIOCSIFFLAGS` with `IFF_UP` for `lo` (`man 7 netdevice`). */
function loopback(): Act {
  const SIOCSIFFLAGS = 0x8914;
  const IFF_UP = 1;
  const request: Block = {
    size: 40,
    fields: [{ at: 0, bytes: new TextEncoder().encode("lo") }, { at: 16, size: 2, value: IFF_UP }],
  };
  return {
    what: "bring the loopback device up",
    why: "a new network namespace has nothing but a loopback device, and that one is down",
    shell: ["ip link set lo up"],
    steps: [
      step("socket", [flags("AF_INET"), flags("SOCK_DGRAM", "SOCK_CLOEXEC"), 0]),
      step("ioctl", [previous(), SIOCSIFFLAGS, { block: request }]),
      step("close", [previous(2)]),
    ],
  };
}

/** Names of the host, and sysctls of the new namespaces. */
export function planNames(config: Config): Act[] {
  const acts: Act[] = [];
  const set = (call: string, what: string, name: string, command: string) =>
    acts.push({
      what: `set the ${what} to ${name}`,
      why: "the uts namespace has names of its own; the host's do not change",
      shell: [`${command} ${quoteShell(name)}`],
      steps: [step(call, [text(name), new TextEncoder().encode(name).length])],
    });
  if (config.hostname !== undefined) set("sethostname", "hostname", config.hostname, "hostname");
  if (config.domainname !== undefined) set("setdomainname", "domain name", config.domainname, "domainname");
  return acts;
}

/** `linux.sysctl`, written through the container's own /proc while it is writable: it shows the new namespaces' values. */
export function planSysctls(config: Config, facts: Facts): Act[] {
  return Object.entries(config.linux.sysctl ?? {}).map(([name, value]) => {
    const path = `/proc/sys/${splitSysctl(name).join("/")}`;
    return {
      what: `set the sysctl ${name} to ${value}`,
      why: "it belongs to a namespace of the container, not to the host",
      shell: [`sysctl -w ${quoteShell(`${name}=${value}`)}`],
      steps: [
        ...openTarget(path, facts, { key: `sysctl.${name}`, kind: "existing", strict: true }),
        ...writeFile(TARGET_PATH, value),
      ],
    };
  });
}
