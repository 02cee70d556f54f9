/**
 * From what the user asks for to a container's Config.
 *
 * Pure: what has to be looked up (ids in the image's passwd, numbers of device nodes) comes in as a `Surroundings`.
 *
 * @module
 */
import { CAPABILITIES } from "../base/capabilities.ts";
import { PaddockError, UsageError } from "../base/errors.ts";
import { findSignal, nameSignal } from "../base/signals.ts";
import type { Capabilities, Config, Linux, Process } from "./config.ts";
import {
  DEFAULT_CAPABILITIES,
  DEFAULT_NAMESPACES,
  DEFAULT_PATH,
  MASKED_PATHS,
  NETWORK_SYSCTLS,
  READONLY_PATHS,
} from "./defaults.ts";
import { mergeHealthcheck } from "./health.ts";
import { OCI_VERSION } from "./oci_version.ts";
import type { ImageConfig } from "./image_config.ts";
import { buildMounts } from "./mounts_from_options.ts";
import { buildDevices, buildResources, type DeviceNode } from "./resources_from_options.ts";
import type { RunOptions } from "./run_options.ts";
import { findSysctlProblem } from "./sysctls.ts";

/** What is known of the image and the host when a Config is made. */
export interface Surroundings {
  /** The container's id: its name, or twelve hexadecimal digits. */
  readonly id: string;
  /** Absolute path of the root filesystem on the host. */
  readonly rootfs: string;
  readonly image: ImageConfig;
  /** The process's ids, names resolved inside the image, and its home directory there. */
  readonly user: ProcessUser;
  /** True where the kernel limits swap: docker then allows as much swap as memory unless told otherwise. */
  readonly limitsSwap: boolean;
  /** The host's name, which the container sees with `--uts host` or `--network host`. */
  readonly hostname: string;
  /** By source path of a `--device` or a device limit: the node, or all nodes below where it is a directory. */
  readonly nodes: ReadonlyMap<string, readonly DeviceNode[]>;
  /** Every node of the host's /dev, for `--privileged`. */
  readonly allNodes: readonly DeviceNode[];
  /** More paths to mask that only this host has (`/sys/devices/system/cpu/cpu0/thermal_throttle`, GHSA-6fw5-f8r9-fgfm). */
  readonly maskedPaths: readonly string[];
  /** The network namespace that it joins; absent: as the options say. */
  readonly networkPath?: string;
  /** Capabilities that paddock may hand on, as in `Facts`; absent: all. Those of a default beyond them are left out. */
  readonly capabilities?: readonly string[];
}

/** Who the process is. */
export interface ProcessUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids: readonly number[];
  readonly home: string;
}

/**
 * The Config of the container that the options ask for.
 *
 * @throws {PaddockError} where neither the user nor the image says what to run, or a device is not known
 */
export function buildConfig(options: RunOptions, around: Surroundings): Config {
  const hostname = chooseHostname(options, around);
  refuseVolumes(around.image);
  return {
    ociVersion: OCI_VERSION,
    process: buildProcess(options, around, hostname ?? around.hostname),
    root: { path: around.rootfs, ...(options.readOnly ? { readonly: true } : {}) },
    ...(hostname === undefined ? {} : { hostname }),
    ...(options.domainname === undefined ? {} : { domainname: options.domainname }),
    mounts: buildMounts(options),
    annotations: buildAnnotations(options, around),
    linux: buildLinux(options, around),
  };
}

/**
 * An image's volumes are mounts by now, or plain directories where what is written is kept elsewhere. One that would
 * lie over the kernel's own files, or lead out, is a trick (CVE-2019-16884).
 */
function refuseVolumes({ volumes = [] }: ImageConfig): void {
  const bad = volumes.find((path) => {
    const parts = path.split("/").filter((part) => part !== "" && part !== ".");
    // Images with an init system declare /sys/fs/cgroup.
    const isKernels = parts[0] === "proc" || (parts.length === 1 && ["sys", "dev"].includes(parts[0]!));
    return parts.length === 0 || parts.includes("..") || isKernels;
  });
  if (bad === undefined) return;
  throw new PaddockError(`the image declares a volume at '${bad}', where there can be none`, {
    hint: "run it with a configuration of your own: --config FILE",
  });
}

/** Annotations by which a Config carries what the specification has no field for. */
export const ANNOTATIONS = {
  /** "true": process 1 is a small init of ours. */
  init: "dev.paddock.init",
  /** A signal's name without `SIG`. */
  stopSignal: "dev.paddock.stop-signal",
  /** The image in the user's words. */
  image: "dev.paddock.image",
  /** "default": system calls are filtered by paddock's own profile, which depends on machine and capabilities. */
  seccomp: "dev.paddock.seccomp",
  /** Followed by a label's key. */
  label: "dev.paddock.label.",
  /** How the image says to see that it is well, as JSON. */
  healthcheck: "dev.paddock.healthcheck",
  /** What the image says runs lines of a Dockerfile, as JSON. */
  shell: "dev.paddock.shell",
  /** `80/tcp,443/tcp` (image-spec conversion.md). */
  exposedPorts: "org.opencontainers.image.exposedPorts",
} as const;

function buildProcess(options: RunOptions, around: Surroundings, hostname: string): Process {
  const { uid, gid, additionalGids, home } = around.user;
  return {
    ...(options.tty ? { terminal: true } : {}),
    cwd: options.workdir ?? makeAbsolute(around.image.workingDir ?? ""),
    env: buildEnv(options, around, hostname, home),
    args: buildArgs(options, around.image),
    user: {
      uid,
      gid,
      ...(options.umask === undefined ? {} : { umask: options.umask }),
      ...(additionalGids.length === 0 ? {} : { additionalGids }),
    },
    capabilities: buildCapabilities(options, uid, around.capabilities ?? CAPABILITIES),
    ...(options.ulimits.length === 0 ? {} : { rlimits: options.ulimits }),
    ...(options.noNewPrivileges ? { noNewPrivileges: true } : {}),
    ...(options.oomScoreAdj === undefined ? {} : { oomScoreAdj: options.oomScoreAdj }),
  };
}

/** A working directory of an image; a relative one begins at the root, as in docker. */
function makeAbsolute(path: string): string {
  return path.startsWith("/") ? path : `/${path}`;
}

/** Entrypoint and command; a new entrypoint drops the image's command with the image's entrypoint, as in docker. */
function buildArgs({ entrypoint, command, image: name }: RunOptions, image: ImageConfig): readonly string[] {
  const program = entrypoint === undefined ? image.entrypoint ?? [] : entrypoint === "" ? [] : [entrypoint];
  const given = command.length > 0 ? command : entrypoint === undefined ? image.cmd ?? [] : [];
  const args = [...program, ...given];
  if (args.length > 0 && args[0] !== "") return args;
  throw new PaddockError(args.length === 0 ? `nothing to run: '${name}' names no command` : "the command is empty", {
    hint: `say one after the image, as in: paddock run ${name} sh`,
  });
}

/** docker's order: PATH, HOSTNAME, TERM, then the image's, then the user's, each in place of an earlier one; HOME last. */
function buildEnv(options: RunOptions, around: Surroundings, hostname: string, home: string): readonly string[] {
  const base = [`PATH=${DEFAULT_PATH}`, `HOSTNAME=${hostname}`, ...(options.tty ? ["TERM=xterm"] : [])];
  const values = new Map<string, string>();
  for (const entry of [...base, ...(around.image.env ?? []), ...options.env]) {
    const equals = entry.indexOf("=");
    if (equals < 0) values.delete(entry);
    else values.set(entry.slice(0, equals), entry);
  }
  if (!values.has("HOME")) values.set("HOME", `HOME=${home}`);
  return [...values.values()];
}

/**
 * docker's rules: `ALL` among the dropped leaves what is added, `ALL` among the added leaves all but what is dropped,
 * else the default set with and without. A user other than root starts with none in effect; the bounding set is what a
 * set-user-ID program can still gain.
 *
 * What paddock lacks itself is left out, unless it was asked for by name: then the kernel's refusal is the answer.
 */
function buildCapabilities(
  { capAdd, capDrop, privileged }: RunOptions,
  uid: number,
  available: readonly string[],
): Capabilities {
  const chosen: readonly string[] = privileged ? CAPABILITIES : chooseCapabilities(capAdd, capDrop);
  const names = chosen.filter((name) => available.includes(name) || capAdd.includes(name));
  const set = names.map((name) => `CAP_${name.toUpperCase()}`);
  return uid === 0
    ? { bounding: set, effective: set, permitted: set }
    : { bounding: set, effective: [], permitted: [] };
}

function chooseCapabilities(add: readonly string[], drop: readonly string[]): readonly string[] {
  const base = add.includes("all") ? CAPABILITIES : drop.includes("all") ? [] : DEFAULT_CAPABILITIES;
  const kept = base.filter((name) => !drop.includes(name));
  const added = add.filter((name) =>
    name !== "all" && !kept.includes(name) && !(add.includes("all") && drop.includes(name))
  );
  return [...kept, ...new Set(added)];
}

function buildLinux(options: RunOptions, around: Surroundings): Linux {
  const open = options.privileged || options.unmasked;
  const namespaces = listNamespaces(options);
  const path = around.networkPath;
  // What is joined has settings already.
  const own = path === undefined ? namespaces : namespaces.filter((type) => type !== "network");
  refuseSysctls(options, own);
  const sysctl = { ...defaultSysctls(own), ...options.sysctls };
  const devices = buildDevices(options, around);
  return {
    namespaces: namespaces.map((type) => type === "network" && path !== undefined ? { type, path } : { type }),
    ...(options.userns === "host" ? {} : { uidMappings: [options.userns.uid], gidMappings: [options.userns.gid] }),
    ...(namespaces.includes("time") ? { timeOffsets: buildTimeOffsets(options.timeOffsets) } : {}),
    ...(devices.length === 0 ? {} : { devices }),
    cgroupsPath: options.cgroupManager === "systemd"
      ? `${options.cgroupParent ?? ""}:paddock:${around.id}`
      : `${(options.cgroupParent ?? "/").replace(/\/$/, "")}/paddock/${around.id}`,
    resources: buildResources(options, around),
    rootfsPropagation: "private",
    ...(Object.keys(sysctl).length === 0 ? {} : { sysctl }),
    maskedPaths: open ? [] : [...MASKED_PATHS, ...around.maskedPaths],
    readonlyPaths: open ? [] : READONLY_PATHS,
  };
}

/** In the user's own words, before `validate.ts` says it in the specification's. */
function refuseSysctls({ sysctls }: RunOptions, types: readonly NamespaceName[]): void {
  const namespaces = types.map((type) => ({ type }));
  for (const key of Object.keys(sysctls)) {
    const problem = findSysctlProblem({ namespaces }, key);
    if (problem !== undefined) throw new UsageError(`--sysctl ${key}: ${problem}`);
  }
}

/** The ids of the ping range must exist in the user namespace: one of our own has too few for "everybody". */
function defaultSysctls(namespaces: readonly string[]): Readonly<Record<string, string>> {
  if (!namespaces.includes("network")) return {};
  const { "net.ipv4.ping_group_range": ping, ...others } = NETWORK_SYSCTLS;
  return namespaces.includes("user") || ping === undefined ? others : NETWORK_SYSCTLS;
}

type NamespaceName = Linux["namespaces"][number]["type"];

function listNamespaces(options: RunOptions): readonly NamespaceName[] {
  const shared: Partial<Record<NamespaceName, boolean>> = {
    network: options.network === "host",
    pid: options.pid === "host",
    ipc: options.ipc === "host",
    uts: options.uts === "host",
    cgroup: options.cgroupns === "host",
  };
  const moved = Object.keys(options.timeOffsets).length > 0;
  return [
    ...(options.userns === "host" ? [] : ["user" as const]),
    ...DEFAULT_NAMESPACES.filter((type) => !shared[type]),
    ...(moved ? ["time" as const] : []),
  ];
}

/** Whole seconds and the nanoseconds from there upwards, as `/proc/PID/timens_offsets` takes them. */
function buildTimeOffsets(offsets: RunOptions["timeOffsets"]): NonNullable<Linux["timeOffsets"]> {
  return Object.fromEntries(
    Object.entries(offsets).map(([clock, seconds]) => {
      const secs = Math.floor(seconds);
      return [clock, { secs, nanosecs: Math.round((seconds - secs) * 1e9) }];
    }),
  );
}

/** Its own name, else its id; the host's (undefined) where it shares the host's names or network. */
function chooseHostname(options: RunOptions, around: Surroundings): string | undefined {
  if (options.hostname !== undefined) return options.hostname;
  if (options.uts === "host" || options.network === "host") return undefined;
  // 64 is the longest that sethostname(2) takes; an id has no other letters than a host name may have, but '_'.
  return around.id.slice(0, 63);
}

function buildAnnotations(options: RunOptions, { image }: Surroundings): Record<string, string> {
  const labels = { ...image.labels, ...options.labels };
  // An image may say `SIGTERM`, `TERM` or `15`; one that says nonsense gets the default.
  const number = findSignal(image.stopSignal ?? "");
  const health = mergeHealthcheck(image.healthcheck, options.health);
  const signal = options.stopSignal ?? (number === undefined ? undefined : nameSignal(number));
  return {
    [ANNOTATIONS.image]: options.image,
    ...(options.init ? { [ANNOTATIONS.init]: "true" } : {}),
    ...(options.seccomp.kind === "default" ? { [ANNOTATIONS.seccomp]: "default" } : {}),
    ...(signal === undefined ? {} : { [ANNOTATIONS.stopSignal]: signal }),
    ...(health === undefined ? {} : { [ANNOTATIONS.healthcheck]: JSON.stringify(health) }),
    ...(image.shell === undefined ? {} : { [ANNOTATIONS.shell]: JSON.stringify(image.shell) }),
    ...(image.exposedPorts === undefined ? {} : { [ANNOTATIONS.exposedPorts]: image.exposedPorts.join(",") }),
    ...Object.fromEntries(Object.entries(labels).map(([key, value]) => [ANNOTATIONS.label + key, value])),
  };
}
