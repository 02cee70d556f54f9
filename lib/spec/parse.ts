/**
 * A `config.json` read: from `unknown` to `Config`.
 *
 * The shape alone is checked here; whether the values can be is for `validate.ts`.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type * as oci from "./config.ts";
import { SECCOMP_ACTIONS, SECCOMP_ARCHITECTURES, SECCOMP_FLAGS, SECCOMP_OPERATORS } from "./seccomp.ts";
import { amount, integer, list, may, need, object, oneOf, readJson, record, text, truth, word } from "./shape.ts";

/**
 * A Config from parsed JSON. Fields that are not known are passed over (runtime-spec config.md, Extensibility).
 *
 * @throws {ShapeError} naming every field that has another type than it must
 */
export function parseConfig(json: unknown): oci.Config {
  return readConfig(json, "");
}

/**
 * The process of `exec --process`: the same as `process` in a `config.json`.
 *
 * @throws {ShapeError} as `parseConfig`, with paths that begin with `process`
 */
export function parseProcess(json: unknown): oci.Process {
  return process(json, "process");
}

/**
 * The limits of `update --resources`: the same as `linux.resources` in a `config.json`.
 *
 * @throws {ShapeError} as `parseConfig`, with paths that begin with `linux.resources`
 */
export function parseResources(json: unknown): oci.Resources {
  return resources(json, "linux.resources");
}

/**
 * A Config from the text of a `config.json`.
 *
 * @throws {PaddockError} where it is no JSON
 * @throws {ShapeError} as `parseConfig`
 */
export function parseConfigText(source: string): oci.Config {
  try {
    return parseConfig(readJson(source));
  } catch (cause) {
    if (cause instanceof SyntaxError) {
      throw new PaddockError(`the configuration is no JSON: ${cause.message}`, { cause });
    }
    throw cause;
  }
}

/** Kinds of namespaces, by the words of the specification. */
export const NAMESPACE_TYPES: readonly oci.NamespaceType[] = [
  "pid",
  "network",
  "mount",
  "ipc",
  "uts",
  "user",
  "cgroup",
  "time",
];

const idMapping = object<oci.IdMapping>({ containerID: need(integer), hostID: need(integer), size: need(integer) });

const process = object<Omit<oci.Process, "absent">>({
  terminal: may(truth),
  consoleSize: may(object({ height: need(integer), width: need(integer) })),
  cwd: need(text),
  env: may(list(text), []),
  args: may(list(text), []),
  user: may(
    object<oci.User>({
      uid: may(integer, 0),
      gid: may(integer, 0),
      umask: may(integer),
      additionalGids: may(list(integer)),
    }),
    { uid: 0, gid: 0 },
  ),
  capabilities: may(object<oci.Capabilities>({
    bounding: may(list(text)),
    effective: may(list(text)),
    inheritable: may(list(text)),
    permitted: may(list(text)),
    ambient: may(list(text)),
  })),
  rlimits: may(list(object<oci.Rlimit>({ type: need(text), soft: need(amount), hard: need(amount) }))),
  noNewPrivileges: may(truth),
  oomScoreAdj: may(integer),
  scheduler: may(object<oci.Scheduler>({
    policy: need(text),
    nice: may(integer),
    priority: may(integer),
    flags: may(list(text)),
    runtime: may(integer),
    deadline: may(integer),
    period: may(integer),
  })),
  ioPriority: may(object<oci.IoPriority>({ class: need(text), priority: may(integer) })),
  execCPUAffinity: may(object<oci.CpuAffinity>({ initial: may(text), final: may(text) })),
  apparmorProfile: may(text),
  selinuxLabel: may(text),
});

const device = object<oci.Device>({
  type: need(text),
  path: need(text),
  major: may(integer),
  minor: may(integer),
  fileMode: may(integer),
  uid: may(integer),
  gid: may(integer),
});

const throttles = may(list(object<oci.Throttle>({ major: need(integer), minor: need(integer), rate: need(amount) })));

const resources = object<oci.Resources>({
  devices: may(list(object<oci.DeviceRule>({
    allow: need(truth),
    type: may(text),
    major: may(integer),
    minor: may(integer),
    access: may(text),
  }))),
  memory: may(object<oci.Memory>({
    limit: may(amount),
    reservation: may(amount),
    swap: may(amount),
    kernel: may(amount),
    kernelTCP: may(amount),
    swappiness: may(integer),
    disableOOMKiller: may(truth),
    useHierarchy: may(truth),
    checkBeforeUpdate: may(truth),
  })),
  cpu: may(object<oci.Cpu>({
    shares: may(integer),
    quota: may(amount),
    burst: may(integer),
    period: may(integer),
    realtimeRuntime: may(integer),
    realtimePeriod: may(integer),
    cpus: may(text),
    mems: may(text),
    idle: may(integer),
  })),
  pids: may(object<{ limit?: number }>({ limit: may(amount) })),
  blockIO: may(object<oci.BlockIO>({
    weight: may(integer),
    leafWeight: may(integer),
    weightDevice: may(list(object<oci.WeightDevice>({
      major: need(integer),
      minor: need(integer),
      weight: may(integer),
      leafWeight: may(integer),
    }))),
    throttleReadBpsDevice: throttles,
    throttleWriteBpsDevice: throttles,
    throttleReadIOPSDevice: throttles,
    throttleWriteIOPSDevice: throttles,
  })),
  hugepageLimits: may(list(object({ pageSize: need(text), limit: need(amount) }))),
  network: may(object<oci.NetworkClass>({
    classID: may(integer),
    priorities: may(list(object({ name: need(text), priority: need(integer) }))),
  })),
  rdma: may(record(object<oci.Rdma>({ hcaHandles: may(integer), hcaObjects: may(integer) }))),
  unified: may(record(text)),
});

/** Readers of the parts of a seccomp profile that docker's own format has as well. */
export const SECCOMP_PARTS = {
  action: oneOf(...SECCOMP_ACTIONS),
  architecture: oneOf(...SECCOMP_ARCHITECTURES),
  flag: oneOf(...SECCOMP_FLAGS),
  argument: object<oci.SeccompArgument>({
    index: need(integer),
    value: need(word),
    valueTwo: may(word),
    op: need(oneOf(...SECCOMP_OPERATORS)),
  }),
} as const;

const seccomp = object<oci.Seccomp>({
  defaultAction: need(SECCOMP_PARTS.action),
  defaultErrnoRet: may(integer),
  architectures: may(list(SECCOMP_PARTS.architecture)),
  flags: may(list(SECCOMP_PARTS.flag)),
  listenerPath: may(text),
  listenerMetadata: may(text),
  syscalls: may(list(object<oci.SeccompRule>({
    names: need(list(text)),
    action: need(SECCOMP_PARTS.action),
    errnoRet: may(integer),
    args: may(list(SECCOMP_PARTS.argument)),
  }))),
});

const linux = object<oci.Linux>({
  namespaces: may(
    list(object<oci.Namespace>({
      type: need(oneOf(...NAMESPACE_TYPES)),
      path: may(text),
    })),
    [],
  ),
  uidMappings: may(list(idMapping)),
  gidMappings: may(list(idMapping)),
  timeOffsets: may(
    record(object<{ secs?: number; nanosecs?: number }>({ secs: may(integer), nanosecs: may(integer) })),
  ),
  devices: may(list(device)),
  netDevices: may(record(object<oci.NetDevice>({ name: may(text) }))),
  cgroupsPath: may(text),
  resources: may(resources),
  intelRdt: may(object<oci.IntelRdt>({
    closID: may(text),
    schemata: may(list(text)),
    l3CacheSchema: may(text),
    memBwSchema: may(text),
    enableMonitoring: may(truth),
  })),
  memoryPolicy: may(object<oci.MemoryPolicy>({ mode: need(text), nodes: may(text), flags: may(list(text)) })),
  personality: may(object<oci.Personality>({ domain: need(text), flags: may(list(text)) })),
  rootfsPropagation: may(text),
  mountLabel: may(text),
  sysctl: may(record(text)),
  seccomp: may(seccomp),
  maskedPaths: may(list(text)),
  readonlyPaths: may(list(text)),
});

const mount = object<oci.Mount>({
  destination: need(text),
  type: may(text),
  source: may(text),
  options: may(list(text)),
  uidMappings: may(list(idMapping)),
  gidMappings: may(list(idMapping)),
});

/** config.md, Process: it is needed when the container is started, and not before. */
const NO_PROCESS: oci.Process = { absent: true, cwd: "/", env: [], args: [], user: { uid: 0, gid: 0 } };

const hooks = may(list(object<oci.Hook>({
  path: need(text),
  args: may(list(text)),
  env: may(list(text)),
  timeout: may(integer),
})));

const readConfig = object<oci.Config>({
  ociVersion: need(text),
  process: may(process, NO_PROCESS),
  root: need(object<oci.Root>({ path: need(text), readonly: may(truth) })),
  hostname: may(text),
  domainname: may(text),
  mounts: may(list(mount), []),
  hooks: may(object<oci.Hooks>({
    prestart: hooks,
    createRuntime: hooks,
    createContainer: hooks,
    startContainer: hooks,
    poststart: hooks,
    poststop: hooks,
  })),
  annotations: may(record(text), {}),
  linux: need(linux),
});
