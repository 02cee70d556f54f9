/**
 * `paddock inspect` of a container: docker's JSON, as far as it means something here.
 *
 * @module
 */
import { nameSignal } from "../base/signals.ts";
import { makeReader, readUse } from "../cgroup/use.ts";
import { encodeImageConfig } from "../image/image_config.ts";
import { readControl } from "../kernel/cgroup.ts";
import { isThere } from "../kernel/syscall.ts";
import type { Health } from "../spec/health.ts";
import type { Config, Mount } from "../spec/config.ts";
import { DEFAULT_MOUNTS } from "../spec/defaults.ts";
import type { Attachment } from "../spec/network.ts";
import { parseConfigText } from "../spec/parse.ts";
import type { MountOption, RunOptions } from "../spec/run_options.ts";
import type { SeenContainer } from "../state/container.ts";
import type { ContainerRecord } from "../state/record.ts";
import { nameCause } from "./cause.ts";
import { type ContainerView, viewContainer } from "./container_view.ts";
import { ORIGIN_FILE, readOrigin } from "./origin.ts";

/** All that is known of it. */
export function describeContainer(seen: SeenContainer): Record<string, unknown> {
  const view = viewContainer(seen);
  const { id, directory, record } = view;
  const [path = "", ...args] = record?.command ?? [];
  const config = readConfig(directory);
  const options = readOptions(id, record);
  return {
    Id: id,
    Name: record?.name ?? id,
    Created: record?.created ?? "",
    Path: path,
    Args: args,
    State: describeState(view),
    Image: record?.imageId ?? "",
    LogPath: record?.log ?? "",
    RestartCount: record?.restarts ?? 0,
    Driver: (record?.layers?.length ?? 0) < 2 ? "directory" : "overlay2",
    Platform: "linux",
    ConfigPath: `${directory}/config.json`,
    CgroupPaths: record?.cgroupPaths ?? [],
    HostConfig: describeHostConfig(config, options, record),
    Mounts: describeMounts(config, options, view),
    Config: describeConfig(config, record),
    NetworkSettings: describeNetwork(view),
    ...describeRoot(record?.layers ?? []),
  };
}

/** How it is, and how it came to its end. */
function describeState(view: ContainerView): Record<string, unknown> {
  const { state, pid, record, startedAt } = view;
  const exit = record?.exit;
  const isAlive = state === "running" || state === "paused";
  // Of one that runs, until now.
  const use = isAlive ? readUse(makeReader(readControl, isThere)(record?.cgroupPaths ?? [])) : undefined;
  const cause = exit === undefined ? undefined : nameCause(exit);
  return {
    Status: state,
    Running: isAlive || state === "restarting",
    Paused: state === "paused",
    Restarting: state === "restarting",
    OOMKilled: exit?.oom ?? false,
    Dead: state === "dead",
    Pid: pid ?? 0,
    ExitCode: exit?.code ?? view.lastCode ?? 0,
    Signal: exit?.signal === undefined ? "" : `SIG${nameSignal(exit.signal)}`,
    Cause: state === "dead" ? "its launcher was killed" : cause ?? "",
    Error: exit?.error ?? "",
    StartedAt: startedAt ?? (exit?.error === undefined ? record?.created ?? "" : ""),
    FinishedAt: exit?.at ?? "",
    ...(view.health === undefined ? {} : { Health: describeHealth(view.health) }),
    PeakMemory: exit?.peakMemory ?? peakOf(record) ?? 0,
    CpuTime: exit?.cpuTime ?? use?.cpu ?? 0,
    IoRead: exit?.ioRead ?? use?.ioRead ?? 0,
    IoWritten: exit?.ioWritten ?? use?.ioWritten ?? 0,
  };
}

/** docker's words. */
function describeHealth({ status, failingStreak, log }: Health): Record<string, unknown> {
  return {
    Status: status,
    FailingStreak: failingStreak,
    Log: log.map(({ start, end, exitCode, output }) => ({
      Start: start,
      End: end,
      ExitCode: exitCode,
      Output: output,
    })),
  };
}

function peakOf(record: ContainerRecord | undefined): number | undefined {
  const read = makeReader(readControl, isThere)(record?.cgroupPaths ?? []);
  const text = read("memory.peak") ?? read("memory.max_usage_in_bytes");
  return text === undefined ? undefined : Number(text);
}

/** What it is allowed, and what it shares with the host; by what it was made from, where that is kept. */
function describeHostConfig(
  config: Config | undefined,
  options: RunOptions | undefined,
  record: ContainerRecord | undefined,
): Record<string, unknown> {
  const { memory, cpu, pids, blockIO } = config?.linux.resources ?? {};
  const limits = { memory: memory ?? options?.memory, cpu: cpu ?? options?.cpu };
  const { quota = 0, period = 0 } = limits.cpu ?? {};
  const network = options?.network;
  return {
    Memory: positive(limits.memory?.limit),
    MemoryReservation: positive(limits.memory?.reservation),
    MemorySwap: limits.memory?.swap ?? 0,
    MemorySwappiness: limits.memory?.swappiness ?? null,
    OomKillDisable: limits.memory?.disableOOMKiller ?? false,
    OomScoreAdj: config?.process.oomScoreAdj ?? options?.oomScoreAdj ?? 0,
    NanoCpus: quota > 0 && period > 0 ? Math.round(quota / period * 1e9) : 0,
    CpuQuota: quota,
    CpuPeriod: period,
    CpuShares: limits.cpu?.shares ?? 0,
    CpusetCpus: limits.cpu?.cpus ?? "",
    CpusetMems: limits.cpu?.mems ?? "",
    PidsLimit: pids?.limit ?? options?.pidsLimit ?? null,
    BlkioWeight: blockIO?.weight ?? options?.blkio.weight ?? 0,
    ReadonlyRootfs: config?.root?.readonly ?? options?.readOnly ?? false,
    AutoRemove: record?.keep === false,
    Privileged: options?.privileged ?? false,
    CapAdd: options?.capAdd ?? [],
    CapDrop: options?.capDrop ?? [],
    NetworkMode: network === undefined ? record?.network?.network ?? "" : nameNetwork(network),
    PidMode: options?.pid ?? "",
    IpcMode: options?.ipc ?? "",
    UTSMode: options?.uts ?? "",
    UsernsMode: record?.ids === undefined ? "" : "private",
    Init: options?.init ?? false,
    ShmSize: options?.shmSize ?? 0,
    CgroupParent: options?.cgroupParent ?? "",
    LogConfig: describeLog(options, record),
    PortBindings: describePorts(record),
  };
}

function describeLog(options: RunOptions | undefined, record: ContainerRecord | undefined): Record<string, unknown> {
  const usual = record?.log === undefined ? "none" : record.logFiles === undefined ? "file" : "local";
  const { maxSize, maxFiles } = options?.logRotation ?? {};
  const config = maxSize === undefined ? {} : { "max-size": String(maxSize), "max-file": String(maxFiles) };
  return { Type: options?.logDriver ?? usual, Config: config };
}

function positive(value: number | undefined): number {
  return value === undefined || value < 0 ? 0 : value;
}

function nameNetwork(network: RunOptions["network"]): string {
  if (typeof network === "string") return network;
  if (network.kind === "network") return network.name;
  return network.kind === "container" ? `container:${network.id}` : `ns:${network.path}`;
}

/** What the user had mounted, and its volumes. */
function describeMounts(
  config: Config | undefined,
  options: RunOptions | undefined,
  { record, directory }: ContainerView,
): Record<string, unknown>[] {
  const volumes = (record?.volumes ?? []).map((target, index) => ({
    Type: "volume",
    Name: `${record?.id}/${index}`,
    Source: `${record?.dataDir}/volumes/${index}`,
    Destination: target,
    Mode: "",
    RW: true,
    Propagation: "",
  }));
  const usual = new Set([...DEFAULT_MOUNTS.map(({ destination }) => destination), ...record?.volumes ?? []]);
  const isOwn = ({ source = "", destination }: Mount): boolean =>
    !usual.has(destination) && !source.startsWith(`${directory}/`);
  const given = config === undefined
    ? (options?.mounts ?? []).filter(({ target }) => !usual.has(target)).map(toMount)
    : config.mounts.filter(isOwn);
  return [...volumes, ...given.map(describeMount)];
}

function toMount(option: MountOption): Mount {
  const source = option.kind === "bind" ? option.source : option.kind;
  return { destination: option.target, type: option.kind, source, options: option.options };
}

const PROPAGATIONS = ["rprivate", "private", "rshared", "shared", "rslave", "slave"];

function describeMount({ type, source = "", destination, options = [] }: Mount): Record<string, unknown> {
  return {
    Type: type ?? "bind",
    Source: source,
    Destination: destination,
    Mode: options.join(","),
    RW: !options.some((word) => word === "ro" || word === "rro"),
    Propagation: options.find((word) => PROPAGATIONS.includes(word)) ?? "",
  };
}

/** What it was run with. */
function describeConfig(config: Config | undefined, record: ContainerRecord | undefined): Record<string, unknown> {
  const image = encodeImageConfig(record?.imageConfig ?? {});
  return {
    Hostname: config?.hostname ?? "",
    Domainname: config?.domainname ?? "",
    Tty: config?.process.terminal ?? false,
    Image: record?.image ?? "",
    Labels: {},
    ...image,
    ...(config === undefined ? {} : { Env: config.process.env, WorkingDir: config.process.cwd }),
  };
}

function describeNetwork({ record, pid }: ContainerView): Record<string, unknown> {
  const network = record?.network;
  const first = network === undefined ? undefined : describeEndpoint(network);
  return {
    SandboxKey: pid === undefined ? "" : `/proc/${pid}/ns/net`,
    Ports: describePorts(record),
    IPAddress: first?.IPAddress ?? "",
    IPPrefixLen: first?.IPPrefixLen ?? 0,
    Gateway: first?.Gateway ?? "",
    GlobalIPv6Address: first?.GlobalIPv6Address ?? "",
    MacAddress: first?.MacAddress ?? "",
    Networks: network === undefined ? {} : { [network.network]: first },
  };
}

function describeEndpoint({ addresses, gateways, macAddress, aliases }: Attachment): Record<string, unknown> {
  const [v4, v6] = [addresses.find((text) => !text.includes(":")), addresses.find((text) => text.includes(":"))];
  const [address = "", prefix = "0"] = (v4 ?? "").split("/");
  const [address6 = "", prefix6 = "0"] = (v6 ?? "").split("/");
  return {
    IPAddress: address,
    IPPrefixLen: Number(prefix),
    Gateway: gateways.find((text) => !text.includes(":")) ?? "",
    GlobalIPv6Address: address6,
    GlobalIPv6PrefixLen: Number(prefix6),
    IPv6Gateway: gateways.find((text) => text.includes(":")) ?? "",
    MacAddress: macAddress,
    Aliases: aliases,
  };
}

/** `{ "80/tcp": [{ HostIp, HostPort }] }`. */
function describePorts(record: ContainerRecord | undefined): Record<string, unknown> {
  const found: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { protocol, hostAddress, hostPort, containerPort } of record?.network?.ports ?? []) {
    (found[`${containerPort}/${protocol}`] ??= []).push({
      HostIp: hostAddress ?? "0.0.0.0",
      HostPort: String(hostPort),
    });
  }
  return found;
}

function describeRoot(layers: readonly string[]): Record<string, unknown> {
  const [upper, ...lower] = layers;
  return {
    RootFS: { Type: lower.length === 0 ? "directory" : "layers", Layers: lower.length === 0 ? layers : lower },
    GraphDriver: lower.length === 0
      ? { Name: "directory", Data: upper === undefined ? {} : { RootDir: upper } }
      : { Name: "overlay2", Data: { LowerDir: lower.join(":"), UpperDir: upper } },
  };
}

/** Absent after a boot, and of a compiled launcher's container. */
function readConfig(directory: string): Config | undefined {
  const text = readControl(`${directory}/config.json`);
  try {
    return text === undefined ? undefined : parseConfigText(text);
  } catch {
    return undefined;
  }
}

function readOptions(id: string, record: ContainerRecord | undefined): RunOptions | undefined {
  const { dataDir } = record ?? {};
  return dataDir !== undefined && isThere(`${dataDir}/${ORIGIN_FILE}`) ? readOrigin(id, dataDir).options : undefined;
}
