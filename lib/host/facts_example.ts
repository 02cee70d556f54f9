/**
 * Made-up hosts for tests: what `probeHost` would have found on machines that this one is not.
 *
 * @module
 */
import { CAPABILITIES } from "../base/capabilities.ts";
import { type CgroupFacts, type ControllerFact, type Facts, type Feature, FEATURES, type MountFact } from "./facts.ts";
import { parseKernelVersion } from "./kernel_version.ts";

/** What of an example differs from the standard one; features are given one by one. */
export type FactsOverrides = Partial<Omit<Facts, "has">> & { readonly has?: Partial<Record<Feature, boolean>> };

/**
 * A modern server: x86_64, Linux 6.12, pure cgroup v2 under systemd, every feature, root, 2 GiB of swap.
 *
 * @example
 * ```ts
 * const facts = exampleFacts({ cgroup: exampleCgroupV1(), has: { openat2: false } });
 * ```
 */
export function exampleFacts(overrides: FactsOverrides = {}): Facts {
  const { has, ...others } = overrides;
  const cgroup = others.cgroup ?? exampleCgroupV2();
  return {
    arch: "x86_64",
    release: "6.12.0-example",
    version: parseKernelVersion(others.release ?? "6.12.0"),
    cgroup,
    mounts: exampleMounts(cgroup),
    swapTotal: 2 * 1024 ** 3,
    nofile: { soft: 1024, hard: 524288 },
    capabilities: [...CAPABILITIES],
    lastCapability: CAPABILITIES.length - 1,
    uid: 0,
    ...others,
    has: { ...allFeatures(true), ...has },
  };
}

/** Linux 4.18 as RHEL 8 has it: pure v1 and none of the calls that came with 5.x. */
export function exampleOldFacts(overrides: FactsOverrides = {}): Facts {
  return exampleFacts({
    release: "4.18.0-553.el8_10.x86_64",
    cgroup: exampleCgroupV1(),
    lastCapability: CAPABILITIES.indexOf("audit_read"),
    capabilities: CAPABILITIES.slice(0, CAPABILITIES.indexOf("audit_read") + 1),
    ...overrides,
    has: {
      openat2: false,
      open_tree: false,
      mount_setattr: false,
      close_range: false,
      clone3: false,
      pidfd_open: false,
      overlay_volatile: false,
      time_namespace: false,
      time_namespace_on_exec: false,
      ...overrides.has,
    },
  });
}

/** Every controller on the one unified hierarchy; this process in a session's scope. */
export function exampleCgroupV2(overrides: Partial<CgroupFacts> = {}): CgroupFacts {
  const mount = "/sys/fs/cgroup";
  const self = "/user.slice/user-0.slice/session-1.scope";
  const controllers: Record<string, ControllerFact> = {};
  // devices and freezer have no controller of their own in v2: a BPF program and cgroup.freeze do their work.
  for (const name of ["cpuset", "cpu", "io", "memory", "hugetlb", "pids"]) {
    controllers[name] = { version: 2, mount, self, ...(name === "memory" ? { swap: true } : {}) };
  }
  return { controllers, unified: { mount, self }, systemd: true, ...overrides };
}

/** Every controller on a v1 hierarchy, `cpu` and `cpuacct` mounted together, no cgroup2 anywhere. */
export function exampleCgroupV1(overrides: Partial<CgroupFacts> = {}): CgroupFacts {
  const controllers: Record<string, ControllerFact> = {};
  for (const name of ["cpuset", "memory", "blkio", "pids", "devices", "freezer", "hugetlb"]) {
    controllers[name] = v1Controller([name], name === "memory" ? { swap: true } : {});
  }
  for (const name of ["cpu", "cpuacct"]) controllers[name] = v1Controller(["cpu", "cpuacct"]);
  return { controllers, named: { mount: "/sys/fs/cgroup/systemd", self: "/" }, systemd: true, ...overrides };
}

/** v1 hierarchies for most controllers, beside a unified one that serves `pids`; no systemd. */
export function exampleCgroupHybrid(overrides: Partial<CgroupFacts> = {}): CgroupFacts {
  const { controllers, named } = exampleCgroupV1();
  const unified = { mount: "/sys/fs/cgroup/unified", self: "/" };
  return {
    controllers: { ...controllers, pids: { version: 2, ...unified } },
    unified,
    named: named!,
    systemd: false,
    ...overrides,
  };
}

/** A host where nobody mounted any hierarchy. */
export function exampleCgroupNone(): CgroupFacts {
  return { controllers: {}, systemd: false };
}

/** One line of a mount table, of which only the interesting fields are given. */
export function exampleMount(target: string, type: string, overrides: Partial<MountFact> = {}): MountFact {
  return {
    id: 30,
    parent: 1,
    device: "0:30",
    root: "/",
    target,
    options: ["rw", "relatime"],
    propagation: [],
    type,
    source: type,
    superOptions: ["rw"],
    ...overrides,
  };
}

function v1Controller(joint: string[], more: Partial<ControllerFact> = {}): ControllerFact {
  return { version: 1, mount: `/sys/fs/cgroup/${joint.join(",")}`, self: "/", joint, ...more };
}

function allFeatures(value: boolean): Record<Feature, boolean> {
  return Object.fromEntries(FEATURES.map((feature) => [feature, value])) as Record<Feature, boolean>;
}

/** The root, the usual pseudo file systems, and the hierarchies of `cgroup`, each where it says. */
function exampleMounts(cgroup: CgroupFacts): MountFact[] {
  const hierarchies = new Map<string, MountFact>();
  const add = (target: string, type: string, options: readonly string[]) =>
    hierarchies.set(target, exampleMount(target, type, { superOptions: ["rw", ...options] }));
  if (cgroup.unified !== undefined) add(cgroup.unified.mount, "cgroup2", []);
  if (cgroup.named !== undefined) add(cgroup.named.mount, "cgroup", ["name=systemd"]);
  for (const { version, mount, joint } of Object.values(cgroup.controllers)) {
    if (version === 1) add(mount, "cgroup", joint ?? []);
  }
  const base = [
    exampleMount("/proc", "proc"),
    exampleMount("/sys", "sysfs"),
    exampleMount("/dev", "devtmpfs"),
    exampleMount("/", "ext4", { source: "/dev/vda1", device: "254:1", propagation: ["shared:1"] }),
    exampleMount("/run", "tmpfs", { options: ["rw", "nosuid", "nodev", "noexec"] }),
  ];
  return [...base, ...hierarchies.values()].map((mount, index) => ({ ...mount, id: 21 + index }));
}
