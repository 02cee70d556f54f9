/**
 * The words of `run`, `explain` and `compile` understood: from flags to `RunOptions`.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import { checkName } from "../base/names.ts";
import { parseSize } from "../base/sizes.ts";
import type { MountOption, RunOptions } from "../spec/run_options.ts";
import type { Host, Words } from "./types.ts";
import { readContainerPath, readFlag, readFlags, readInteger, readPair, resolveHostPath } from "./values/flag.ts";
import { readCgroupManager } from "./values/cgroup_manager.ts";
import { readHealth } from "./values/health.ts";
import { readBlkio, readCpu, readMemory, readPidsLimit } from "./values/limits.ts";
import { readLogOptions } from "./values/log.ts";
import { readMount, readTmpfs, readVolume } from "./values/mounts.ts";
import { readNetworkFlags } from "./values/network.ts";
import * as value from "./values/process.ts";
import { readRegistryOptions } from "./values/registry.ts";
import { readRoots } from "./values/roots.ts";
import { allValues, isOn, lastValue } from "./words.ts";

/** docker's size of `/dev/shm`. */
const SHM_SIZE = 64 * 1024 * 1024;

/**
 * Everything that the command line asks for.
 *
 * @throws {UsageError} naming the flag and the value that does not fit
 */
export function readRunOptions(words: Words, host: Host): RunOptions {
  const [image = "", ...command] = words.positionals;
  if (image === "") {
    throw new UsageError("the image's name is empty", { hint: "give a directory, a tarball, - or host" });
  }
  const cgroupManager = readCgroupManager(words);
  const options: RunOptions = {
    ...readRoots(words, host),
    image,
    command,
    ...optional("pull", lastValue(words, "pull") as RunOptions["pull"]),
    ...optional("registry", readRegistryOptions(words, host)),
    ...readContainer(words, host),
    ...readProcess(words, host),
    ...readFiles(words, host),
    ...readNetwork(words, host),
    ...readNamespaces(words),
    ...readRights(words, host),
    memory: readMemory(words),
    cpu: readCpu(words),
    ...optional("pidsLimit", readPidsLimit(words)),
    blkio: readBlkio(words, host),
    cgroupManager,
    ...optional(
      "cgroupParent",
      readFlag(words, "cgroup-parent", cgroupManager === "systemd" ? readSlice : readCgroupParent),
    ),
  };
  refuseContradictions(options);
  return options;
}

type Part<K extends keyof RunOptions> = Pick<RunOptions, K>;

function readContainer(
  words: Words,
  host: Host,
): Part<
  | "config"
  | "name"
  | "replace"
  | "rm"
  | "detach"
  | "logDriver"
  | "logRotation"
  | "restart"
  | "interactive"
  | "tty"
  | "init"
  | "trace"
  | "stopSignal"
  | "stopTimeout"
  | "health"
  | "labels"
> {
  return {
    ...optional("config", readFlag(words, "config", (text) => resolveHostPath(text, host))),
    ...optional("name", readFlag(words, "name", checkName)),
    ...(isOn(words, "replace") ? { replace: true as const } : {}),
    rm: isOn(words, "rm"),
    detach: isOn(words, "detach"),
    ...readLogOptions(words),
    ...optional("restart", readFlag(words, "restart", value.readRestart)),
    // In the background nobody types unless told so.
    interactive: words.switches.get("interactive") ?? !isOn(words, "detach"),
    tty: isOn(words, "tty"),
    init: isOn(words, "init"),
    trace: isOn(words, "trace"),
    ...optional("stopSignal", readFlag(words, "stop-signal", value.readSignal)),
    ...optional("stopTimeout", readFlag(words, "stop-timeout", (text) => readInteger(text, -1, 1e9))),
    ...optional("health", readHealth(words)),
    labels: Object.fromEntries(readFlags(words, "label", (text) => readPair(text, ""))),
  };
}

function readProcess(
  words: Words,
  host: Host,
): Part<"env" | "entrypoint" | "user" | "groupAdd" | "workdir" | "umask" | "ulimits" | "oomScoreAdj"> {
  return {
    // As in docker: files first, so that -e has the last word.
    env: [
      ...readFlags(words, "env-file", (path) => value.readEnvFile(path, host)).flat(),
      ...readFlags(words, "env", (text) => value.readEnv(text, host)),
    ],
    ...optional("entrypoint", lastValue(words, "entrypoint")),
    ...optional("user", readFlag(words, "user", value.readUser)),
    groupAdd: readFlags(words, "group-add", value.readIdOrName),
    ...optional("workdir", readFlag(words, "workdir", readContainerPath)),
    ...optional("umask", readFlag(words, "umask", value.readUmask)),
    ulimits: readFlags(words, "ulimit", value.readUlimit),
    ...optional("oomScoreAdj", readFlag(words, "oom-score-adj", (text) => readInteger(text, -1000, 1000))),
  };
}

function readFiles(words: Words, host: Host): Part<"readOnly" | "mounts" | "shmSize" | "rwSave" | "devices"> {
  const mounts: MountOption[] = [
    ...readFlags(words, "volume", (text) => readVolume(text, host)),
    ...readFlags(words, "mount", (text) => readMount(text, host)),
    ...readFlags(words, "tmpfs", readTmpfs),
  ];
  return {
    readOnly: isOn(words, "read-only"),
    mounts,
    shmSize: readFlag(words, "shm-size", readShmSize) ?? SHM_SIZE,
    ...optional("rwSave", readFlag(words, "rw-save", (text) => resolveHostPath(text, host))),
    devices: readFlags(words, "device", (text) => value.readDevice(text, host)),
  };
}

function readShmSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes === 0) throw new UsageError(`'${text}' is no memory at all`);
  return bytes;
}

function readNetwork(
  words: Words,
  host: Host,
): Part<"network" | "networkWishes" | "hostname" | "domainname" | "dns" | "dnsSearch" | "dnsOptions" | "addHosts"> {
  return {
    ...readNetworkFlags(words, host),
    ...optional("hostname", readFlag(words, "hostname", value.readHostname)),
    ...optional("domainname", readFlag(words, "domainname", value.readHostname)),
    dns: readFlags(words, "dns", value.readAddress),
    dnsSearch: readFlags(
      words,
      "dns-search",
      (text) => text === "." ? text : value.readHostname(text.replace(/\.$/, "")),
    ),
    dnsOptions: readFlags(words, "dns-option", readDnsOption),
    addHosts: readFlags(words, "add-host", value.readAddHost),
  };
}

function readDnsOption(text: string): string {
  if (/^[a-z0-9-]+(:\d+)?$/i.test(text)) return text;
  throw new UsageError(`'${text}' is no resolver option`, { hint: "see: man 5 resolv.conf" });
}

function readNamespaces(words: Words): Part<"pid" | "ipc" | "uts" | "cgroupns" | "userns" | "timeOffsets"> {
  const choose = <T extends string>(name: string): T => (lastValue(words, name) ?? "private") as T;
  return {
    pid: choose<RunOptions["pid"]>("pid"),
    ipc: choose<RunOptions["ipc"]>("ipc"),
    uts: choose<RunOptions["uts"]>("uts"),
    cgroupns: choose<RunOptions["cgroupns"]>("cgroupns"),
    userns: readFlag(words, "userns", value.readUserns) ?? ("host" as const),
    timeOffsets: Object.fromEntries(readFlags(words, "time-offset", value.readTimeOffset)),
  };
}

function readRights(
  words: Words,
  host: Host,
): Part<"capAdd" | "capDrop" | "privileged" | "noNewPrivileges" | "unmasked" | "seccomp" | "sysctls"> {
  const privileged = isOn(words, "privileged");
  return {
    capAdd: readFlags(words, "cap-add", value.readCapability),
    capDrop: readFlags(words, "cap-drop", value.readCapability),
    privileged,
    seccomp: { kind: privileged ? "unconfined" : "default" },
    ...value.readSecurityOptions(allValues(words, "security-opt"), host),
    sysctls: Object.fromEntries(readFlags(words, "sysctl", (text) => readPair(text))),
  };
}

/** A cgroup's path below each controller's mount point; a relative one begins there too. */
function readCgroupParent(text: string): string {
  if (text.endsWith(".slice")) {
    throw new UsageError(`'${text}' is a systemd slice`, {
      hint: "give the path of a cgroup, as in /my/group, or --cgroup-manager systemd as well",
    });
  }
  if (text.split("/").includes("..")) throw new UsageError(`'${text}' leads out of the cgroups with '..'`);
  return readContainerPath(`/${text}`);
}

/** Where systemd makes the cgroup: whether the name is one, systemd's own rules say. */
function readSlice(text: string): string {
  if (/^[^/:]+\.slice$/.test(text)) return text;
  throw new UsageError(`'${text}' is no systemd slice`, { hint: "give the name of one, as in machine.slice" });
}

/** Flags that are right alone and wrong together. */
function refuseContradictions(options: RunOptions): void {
  const targets = options.mounts.map((mount) => mount.target);
  const twice = targets.find((target, index) => targets.indexOf(target) !== index);
  if (twice !== undefined) {
    throw new UsageError(`two mounts on ${twice}`, { hint: "give each -v, --mount and --tmpfs a target of its own" });
  }
  if (options.uts === "host" && (options.hostname ?? options.domainname) !== undefined) {
    throw new UsageError("--uts host and a host name of its own contradict each other", {
      hint: "leave one of them out",
    });
  }
  refuseRestart(options);
  if (options.replace && options.name === undefined) {
    throw new UsageError("--replace needs --name", { hint: "it says which container goes" });
  }
  if (options.rwSave !== undefined && options.readOnly) {
    throw new UsageError("--rw-save and --read-only contradict each other");
  }
}

function refuseRestart({ restart, detach, rm, cgroupManager }: RunOptions): void {
  if (restart === undefined) return;
  if (!detach) {
    throw new UsageError("--restart is for containers in the background", {
      hint: "add -d, or let the shell repeat it",
    });
  }
  if (rm) throw new UsageError("--restart and --rm contradict each other", { hint: "leave one of them out" });
  if (cgroupManager === "systemd") {
    throw new UsageError("--restart cannot be had with --cgroup-manager systemd: a scope is asked for once", {
      hint: "leave one of them out, or let a unit start it again: paddock generate systemd NAME",
    });
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : { [key]: value } as { [key in K]: V };
}
