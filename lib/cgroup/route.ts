/**
 * Where each wish goes: which hierarchies a container joins here, and what it sets in each.
 *
 * @module
 */
import type { CgroupFacts, ControllerFact, Facts } from "../host/facts.ts";
import type { Resources } from "../spec/config.ts";
import type { CgroupRequest } from "./acts.ts";
import { allowEverything, type ExactRule } from "./devices.ts";
import { type Backend, type Setting, type Topic, TOPICS } from "./setting.ts";
import { v1 } from "./v1.ts";
import { v2 } from "./v2.ts";

/** One hierarchy that the container joins. */
export interface Join {
  readonly version: 1 | 2;
  readonly mount: string;
  /** The first of its controllers that is used, for labels. */
  readonly key: string;
  /** v1: all controllers of the hierarchy. v2: none. */
  readonly controllers: readonly string[];
  readonly settings: readonly Setting[];
  /** v2: controllers that must be handed down to the container, and those that would be good to have. */
  readonly required: readonly string[];
  readonly wished: readonly string[];
}

/** The hierarchies, who confines devices, and what cannot be had. */
export interface Route {
  readonly joins: readonly Join[];
  readonly devices: "v1" | "program" | "none";
  readonly faults: readonly string[];
}

/**
 * What every container joins in v1, where each hierarchy costs its mkdir, migration and rmdir (a tenth of a millisecond
 * together):
 *
 * - devices, because a container must be confined to its devices, whatever was asked;
 * - memory, to say of a death that it was the OOM killer's, and what the peak was;
 * - freezer, to pause it, and to kill all of it without a race;
 * - pids, to list its processes and count them;
 * - cpuacct, to say what processor time it took (`cpu` comes along where they are mounted together).
 *
 * blkio, cpuset, hugetlb and the like only where a limit asks for them. The named hierarchy of systemd is left alone,
 * unless systemd makes the cgroup: the unit that started paddock keeps the container, and stops it with itself.
 */
const DEFAULT_V1 = ["devices", "memory", "freezer", "pids", "cpuacct"];

/** What a container joins as well whose limits may be changed, for `update` puts no process anywhere. */
const UPDATABLE_V1 = ["cpu", "cpuset", "blkio", "hugetlb", "net_cls", "net_prio", "rdma"];

/** What v2 hands down if it can: the same reasons; processor time, freezing and killing need no controller there. */
const WISHED_V2 = ["memory", "pids"];

const UPDATABLE_V2 = ["cpu", "cpuset", "io", "hugetlb", "rdma"];

/** What each topic is called by those who ask for it: by flags, or by the fields of a `config.json`. */
const NAMES: Readonly<Record<Topic, string>> = {
  memory: "memory limits (--memory, --memory-reservation, --swap; linux.resources.memory)",
  cpu: "processor limits (--cpus, --cpu-shares; linux.resources.cpu)",
  cpuset: "processor sets (--cpuset-cpus, --cpuset-mems; linux.resources.cpu.cpus, linux.resources.cpu.mems)",
  pids: "a limit of processes (--pids-limit; linux.resources.pids)",
  io: "disk limits (--blkio-weight, --device-read-bps, …; linux.resources.blockIO)",
  hugetlb: "limits of huge pages (linux.resources.hugepageLimits)",
  net_cls: "a class of packets (linux.resources.network.classID)",
  net_prio: "priorities of packets (linux.resources.network.priorities)",
  rdma: "limits of RDMA devices (linux.resources.rdma)",
};

/** The hierarchy of v1 that has no controller, as its mount options call it. */
const NAMED = "name=systemd";

const BACKENDS: Readonly<Record<1 | 2, Backend>> = { 1: v1, 2: v2 };

/**
 * Sends every wish to the hierarchy that serves it, and collects what none serves.
 *
 * @param request `updatable` joins the hierarchies as well that a later update could need; a unit of systemd is in all of
 * them: it knows what belongs to it by the named one, or the unified one, and a process of it is nowhere else
 */
export function routeSettings(
  resources: Resources,
  rules: readonly ExactRule[],
  facts: Facts,
  { updatable = false, systemd = false }: Pick<CgroupRequest, "updatable" | "systemd"> = {},
): Route {
  const { cgroup } = facts;
  const faults: string[] = [];
  const joins = new Map<string, DraftJoin>();
  const fitting = withoutTrivialSwap(resources, facts, (message) => faults.push(message));
  for (const topic of TOPICS) {
    const fact = findController(cgroup, topic);
    const backend = BACKENDS[fact?.version ?? 2];
    const settings = backend.settings(topic, fitting, (message) => faults.push(message));
    if (settings.length === 0) continue;
    if (fact === undefined) faults.push(`${NAMES[topic]}: ${explainAbsence(cgroup, topic)}`);
    else addSettings(joins, fact, backend.controllerOf(topic), settings);
  }
  addUnified(joins, resources, cgroup, faults);
  for (const name of systemd ? Object.keys(cgroup.controllers) : [...DEFAULT_V1, ...(updatable ? UPDATABLE_V1 : [])]) {
    const fact = cgroup.controllers[name];
    if (fact?.version === 1) addSettings(joins, fact, name, []);
  }
  const devices = confineDevices(facts);
  const needsUnified = systemd || (devices === "program" && !allowEverything(rules)) ||
    cgroup.controllers["freezer"] === undefined;
  if (cgroup.unified !== undefined && needsUnified) draft(joins, { version: 2, mount: cgroup.unified.mount });
  if (systemd && cgroup.named !== undefined) {
    draft(joins, { version: 1, mount: cgroup.named.mount, joint: [NAMED] }).used.push("systemd");
  }
  return { joins: [...joins.values()].map((join) => finish(join, cgroup, updatable)), devices, faults };
}

interface DraftJoin {
  readonly version: 1 | 2;
  readonly mount: string;
  readonly controllers: readonly string[];
  readonly used: string[];
  readonly settings: Setting[];
}

function draft(
  joins: Map<string, DraftJoin>,
  { version, mount, joint }: Pick<ControllerFact, "version" | "mount" | "joint">,
): DraftJoin {
  const found = joins.get(mount) ?? { version, mount, controllers: joint ?? [], used: [], settings: [] };
  joins.set(mount, found);
  return found;
}

function addSettings(
  joins: Map<string, DraftJoin>,
  fact: ControllerFact,
  name: string,
  settings: readonly Setting[],
): void {
  const join = draft(joins, fact.joint === undefined && fact.version === 1 ? { ...fact, joint: [name] } : fact);
  join.used.push(name);
  join.settings.push(...settings);
}

function finish(
  { version, mount, controllers, used, settings }: DraftJoin,
  cgroup: CgroupFacts,
  updatable: boolean,
): Join {
  const good = updatable ? [...WISHED_V2, ...UPDATABLE_V2] : WISHED_V2;
  const wished = version === 2 ? good.filter((name) => cgroup.controllers[name]?.version === 2) : [];
  const required = version === 2 ? [...new Set(used)] : [];
  return { version, mount, controllers, settings, required, wished, key: used[0] ?? "unified" };
}

/** Either name will do: `io` and `blkio` are the same thing in two versions. */
function findController(cgroup: CgroupFacts, topic: Topic): ControllerFact | undefined {
  const named = cgroup.controllers[v2.controllerOf(topic)];
  if (named !== undefined && (topic !== "io" || named.version === 2)) return named;
  return cgroup.controllers[v1.controllerOf(topic)];
}

function explainAbsence({ controllers, unified }: CgroupFacts, topic: Topic): string {
  const [old, current] = [v1.controllerOf(topic), v2.controllerOf(topic)];
  const name = old === current ? `'${old}'` : `'${current}' (or '${old}' of v1)`;
  if (unified === undefined && Object.keys(controllers).length === 0) {
    return `no cgroup hierarchy is mounted here; mount one: mount -t cgroup2 none /sys/fs/cgroup`;
  }
  const boot = topic === "memory" ? ", or boot with cgroup_enable=memory" : "";
  if (unified !== undefined) {
    return `the controller ${name} is not in ${unified.mount}/cgroup.controllers, nor mounted by itself; ` +
      `see whether the kernel has it (/proc/cgroups)${boot}`;
  }
  return `no hierarchy with the controller ${name} is mounted; ` +
    `see whether the kernel has it (/proc/cgroups), and mount it: mount -t cgroup -o ${old} none /sys/fs/cgroup/${old}${boot}`;
}

/**
 * The resources without a swap limit that holds by itself: without swap space, memory and swap together are memory.
 * A limit that would have to be held, where swap is not counted, is a fault.
 */
function withoutTrivialSwap(resources: Resources, facts: Facts, fault: (message: string) => void): Resources {
  const { memory } = resources;
  const fact = facts.cgroup.controllers["memory"];
  if (memory?.swap === undefined || fact === undefined || fact.swap === true) return resources;
  const { swap, ...others } = memory;
  const noneWanted = swap === memory.limit && facts.swapTotal === 0;
  if (swap > 0 && !noneWanted) {
    fault(
      "a limit of swap (--swap, --memory-swap; linux.resources.memory.swap): this kernel does not count swap by container; boot with swapaccount=1, " +
        "turn swap off (swapoff -a), or leave the limit out",
    );
  }
  return { ...resources, memory: others };
}

/** Raw files of v2: each must belong to a controller that v2 serves here. */
function addUnified(joins: Map<string, DraftJoin>, resources: Resources, cgroup: CgroupFacts, faults: string[]): void {
  for (const [key, value] of Object.entries(resources.unified ?? {})) {
    const name = key.split(".")[0]!;
    const setting: Setting = {
      what: `write ${key}`,
      why: "asked for by its own name, as cgroup v2 calls it",
      writes: [{ files: [{ name: key, data: value.split("\n").filter((line) => line !== "") }] }],
    };
    const fact = cgroup.controllers[name];
    if (cgroup.unified !== undefined && name === "cgroup") {
      draft(joins, { version: 2, mount: cgroup.unified.mount }).settings.push(setting);
    } else if (fact?.version === 2) addSettings(joins, fact, name, [setting]);
    else faults.push(`linux.resources.unified: '${key}' is a file of cgroup v2, and v2 does not serve '${name}' here`);
  }
}

/** True where something here keeps a container from the host's devices, whatever nodes it makes. */
export function confinesDevices(facts: Facts): boolean {
  return confineDevices(facts) !== "none";
}

/** v1's controller where it is mounted, for it is there anyway; else a program, where the kernel takes one. */
function confineDevices({ cgroup, has }: Facts): Route["devices"] {
  if (cgroup.controllers["devices"]?.version === 1) return "v1";
  return cgroup.unified !== undefined && has.bpf_cgroup_device ? "program" : "none";
}
