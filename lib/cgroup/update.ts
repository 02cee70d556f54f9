/**
 * Limits of a container that is there already: what is written into which hierarchy, and what would take it back.
 *
 * Only what is asked for is written, by the builders that `create` uses; of what hangs together (memory and swap, quota
 * and period) the whole, for one is worked out from the other. Device rules stay as they are, as with runc: whoever
 * hands them in beside new limits (containerd does) changes nothing about devices.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import type { Cpu, Memory, Resources } from "../spec/config.ts";
import { checkResources } from "./checks.ts";
import { routeSettings } from "./route.ts";
import type { Setting } from "./setting.ts";

/** What an update comes to. */
export interface UpdatePlan {
  /** All that holds for the container afterwards. */
  readonly resources: Resources;
  readonly joins: readonly UpdateJoin[];
}

/** What is written in one hierarchy, in this order. */
export interface UpdateJoin {
  readonly version: 1 | 2;
  readonly mount: string;
  /** v2: controllers that every directory above must hand down. */
  readonly controllers: readonly string[];
  readonly settings: readonly Setting[];
}

/**
 * Plans an update.
 *
 * @param before what holds now
 * @throws PaddockError naming everything that makes no sense or cannot be had here
 */
export function planUpdate(before: Resources, changes: Resources, facts: Facts): UpdatePlan {
  const given = withUnlimitedSwap(withoutZeros(changes));
  const resources = mergeResources(before, given);
  const faults = checkResources(resources);
  if (faults.length > 0) throw new PaddockError(faults.join("; "));
  const route = routeSettings(pickTouched(resources, given), [], facts);
  if (route.faults.length > 0) {
    throw new PaddockError(`cannot hold these limits here: ${route.faults.join("; ")}`, {
      hint: "see 'paddock doctor' for what this host offers",
    });
  }
  const joins = route.joins.filter(({ settings }) => settings.length > 0).map((join) => ({
    version: join.version,
    mount: join.mount,
    controllers: join.required,
    settings: join.settings,
  }));
  return { resources, joins };
}

/** The resources with what was given in place of what was there; device rules are not touched. */
export function mergeResources(before: Resources, { devices: _, ...given }: Resources): Resources {
  return {
    ...before,
    ...given,
    ...merge("memory", before, given),
    ...merge("cpu", before, given),
    ...merge("blockIO", before, given),
    ...merge("network", before, given),
    ...merge("rdma", before, given),
    ...merge("unified", before, given),
    ...(given.hugepageLimits === undefined ? {} : { hugepageLimits: mergePages(before, given.hugepageLimits) }),
  };
}

type Part = "memory" | "cpu" | "blockIO" | "network" | "rdma" | "unified";

function merge(part: Part, before: Resources, given: Resources): Partial<Resources> {
  return given[part] === undefined ? {} : { [part]: { ...before[part], ...given[part] } };
}

type Pages = NonNullable<Resources["hugepageLimits"]>;

function mergePages({ hugepageLimits = [] }: Resources, given: Pages): Pages {
  const others = hugepageLimits.filter(({ pageSize }) => !given.some((one) => one.pageSize === pageSize));
  return [...others, ...given];
}

/** Zero is "nothing said" for these (runtime-spec config-linux.md), and so is an empty list of processors. */
function withoutZeros({ memory, cpu, blockIO, ...others }: Resources): Resources {
  const { limit, swap, reservation, kernel: _, kernelTCP: __, ...memoryRest } = memory ?? {};
  const { shares, quota, period, realtimeRuntime, realtimePeriod, cpus, mems, ...cpuRest } = cpu ?? {};
  const { weight, leafWeight, ...blockRest } = blockIO ?? {};
  return {
    ...others,
    ...keepSome("memory", { ...withoutEmpty({ limit, swap, reservation }), ...memoryRest }),
    ...keepSome("cpu", {
      ...withoutEmpty({ shares, quota, period, realtimeRuntime, realtimePeriod, cpus, mems }),
      ...cpuRest,
    }),
    ...keepSome("blockIO", { ...withoutEmpty({ weight, leafWeight }), ...blockRest }),
  };
}

function withoutEmpty<T extends Record<string, unknown>>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value)) as Partial<T>;
}

function keepSome<K extends string>(key: K, value: object): { [P in K]?: object } {
  return Object.keys(value).length === 0 ? {} : { [key]: value } as { [P in K]?: object };
}

/** Memory without a limit leaves nothing that swap could be counted beyond: it has none either, as with runc. */
function withUnlimitedSwap(changes: Resources): Resources {
  const { memory } = changes;
  if (memory?.limit !== -1 || memory.swap !== undefined) return changes;
  return { ...changes, memory: { ...memory, swap: -1 } };
}

/** Of all that holds, what an update has to write. */
function pickTouched({ memory, cpu, ...whole }: Resources, given: Resources): Resources {
  return {
    ...(given.memory === undefined || memory === undefined ? {} : { memory: pickMemory(memory) }),
    ...(given.cpu === undefined || cpu === undefined ? {} : { cpu: pickCpu(cpu, given.cpu) }),
    ...(given.unified === undefined ? {} : { unified: given.unified }),
    ...(given.pids === undefined || whole.pids === undefined ? {} : { pids: whole.pids }),
    ...(given.blockIO === undefined ? {} : { blockIO: given.blockIO }),
    ...(given.hugepageLimits === undefined ? {} : { hugepageLimits: given.hugepageLimits }),
    ...(given.network === undefined ? {} : { network: given.network }),
    ...(given.rdma === undefined ? {} : { rdma: given.rdma }),
  };
}

/** The limits of the kernel's own memory are history: they cannot be changed while there are processes. */
function pickMemory({ kernel: _, kernelTCP: __, ...memory }: Memory): Memory {
  return memory;
}

function pickCpu(cpu: Cpu, given: Cpu): Cpu {
  const sets: readonly (keyof Cpu)[] = ["cpus", "mems"];
  const realtime: readonly (keyof Cpu)[] = ["realtimeRuntime", "realtimePeriod"];
  const bandwidth: readonly (keyof Cpu)[] = ["quota", "period", "burst"];
  const touched = [sets, realtime, bandwidth].filter((group) => group.some((key) => given[key] !== undefined)).flat();
  const alone = (["shares", "idle"] as const).filter((key) => given[key] !== undefined);
  // An idle group has the least of all shares, and takes no others.
  const keys = [...touched, ...alone].filter((key) => !(key === "shares" && given.idle === 1));
  return Object.fromEntries(keys.flatMap((key) => cpu[key] === undefined ? [] : [[key, cpu[key]]]));
}

/**
 * What takes a write back, from what the file held before.
 *
 * @param file name of the control file
 * @param lines what was written; of files with a line for each device, those of these devices are taken back
 */
export function takeBack(file: string, before: string, lines: readonly string[]): string[] {
  const nothing = DEFAULTS.find(([pattern]) => pattern.test(file))?.[1];
  if (nothing !== undefined) {
    const old = before.split("\n");
    return lines.map((line) => {
      const key = line.split(" ")[0]!;
      return old.find((one) => one.split(" ")[0] === key) ?? `${key} ${nothing}`;
    });
  }
  if (file === "memory.oom_control") return [/oom_kill_disable (\d)/.exec(before)?.[1] ?? "0"];
  // An empty set of processors is written as an empty line.
  return [before.trim() === "" ? "\n" : before.trim().replace(/^default /, "")];
}

/** Files with a line for each device or interface, and what of a line means nothing. */
const DEFAULTS: readonly (readonly [RegExp, string])[] = [
  [/^io\.max$/, "rbps=max wbps=max riops=max wiops=max"],
  [/^blkio\.throttle\./, "0"],
  [/^blkio\..*weight_device$/, "0"],
  [/^rdma\.max$/, "hca_handle=max hca_object=max"],
  [/^net_prio\.ifpriomap$/, "0"],
];
