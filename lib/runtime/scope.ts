/**
 * The systemd driver: a container's cgroup as a transient scope, made, changed and ended over D-Bus.
 *
 * Loaded only where it is asked for. How it fits into the making of a container is drawn in `plan/scope.ts`.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { listDeviceProperties, parseDeviceGroups } from "../cgroup/systemd_devices.ts";
import { listProperties, type SystemdHost } from "../cgroup/systemd_properties.ts";
import { nameUnit, placeUnit, type SystemdUnit } from "../cgroup/systemd_unit.ts";
import type { Facts } from "../host/facts.ts";
import { readText } from "../host/probe.ts";
import { killCgroups } from "../kernel/cgroup.ts";
import { type SpawnedProgram, spawnProgram } from "../kernel/spawn_program.ts";
import { isThere } from "../kernel/syscall.ts";
import { planKeeper, type Scope } from "../plan/scope.ts";
import { assemble } from "../program/assemble.ts";
import type { Config, Resources } from "../spec/config.ts";
import { readAnnotations } from "../systemd/annotations.ts";
import { Manager } from "../systemd/manager.ts";
import type { Property } from "../systemd/value.ts";

/** A scope that can be started once all else is known to be well. */
export interface PreparedScope extends Disposable {
  readonly scope: Scope;
  /** The name of the unit, for the record. */
  readonly unit: string;
  /** Has systemd make it. @throws PaddockError saying why it does not. */
  start(): Promise<void>;
}

/** What a scope is made for. */
export interface ScopeOptions {
  readonly id: string;
  readonly config: Config;
  readonly facts: Facts;
  /** As `LaunchOptions.fallbackDirectory`. */
  readonly fallbackDirectory: string;
}

/**
 * Names the unit, reaches systemd and starts the process that keeps the place. Disposing ends that process, and with it
 * a scope that has nothing else in it.
 *
 * @throws PaddockError where systemd is not there, or what is asked for is nothing that it knows.
 */
export async function prepareScope(
  { id, config, facts, fallbackDirectory }: ScopeOptions,
): Promise<PreparedScope> {
  const unit = nameUnit(id, config.linux.cgroupsPath);
  const annotated = readAnnotations(config.annotations ?? {});
  const manager = await Manager.open();
  try {
    const keeper = spawnProgram(assemble(planKeeper(facts.arch)), fallbackDirectory);
    const properties = listScopeProperties({ id, unit, keeper, annotated }, config, describeHost(facts, manager));
    return {
      scope: { place: placeUnit(unit, manager.controlGroup), keeper: keeper.pid },
      unit: unit.name,
      start: () => manager.startTransient(unit.name, properties),
      [Symbol.dispose]: () => {
        keeper[Symbol.dispose]();
        manager[Symbol.dispose]();
      },
    };
  } catch (error) {
    manager[Symbol.dispose]();
    throw error;
  }
}

/** What a scope is made of beside the container's resources. */
interface ScopeParts {
  readonly id: string;
  readonly unit: SystemdUnit;
  readonly keeper: SpawnedProgram;
  readonly annotated: readonly Property[];
}

/** The later ones hold where two are of one name: annotations over what is usual, limits over both. */
function listScopeProperties(
  { id, unit, keeper, annotated }: ScopeParts,
  config: Config,
  host: SystemdHost,
): Property[] {
  const { resources = {} } = config.linux;
  const accounting = ["MemoryAccounting", "CPUAccounting", "TasksAccounting"];
  const oomGroup = resources.unified?.["memory.oom.group"]?.trim();
  return [
    { name: "Description", signature: "s", value: `paddock container ${id}` },
    { name: "Slice", signature: "s", value: unit.slice },
    { name: "PIDs", signature: "au", value: [keeper.pid] },
    // What is below is the container's: systemd leaves it alone.
    { name: "Delegate", signature: "b", value: true },
    { name: "DefaultDependencies", signature: "b", value: false },
    ...[...accounting, host.cgroup === 2 ? "IOAccounting" : "BlockIOAccounting"].map((name) => ({
      name,
      signature: "b",
      value: true,
    })),
    // One that has failed is forgotten as well, where nobody is left to do it.
    ...(host.version >= 236 ? [{ name: "CollectMode", signature: "s", value: "inactive-or-failed" }] : []),
    ...annotated,
    ...(oomGroup !== undefined && host.version >= 253
      ? [{ name: "OOMPolicy", signature: "s", value: oomGroup === "1" ? "kill" : "continue" }]
      : []),
    ...listDeviceProperties(resources.devices, host.groups),
    ...listProperties(resources, host),
  ];
}

/**
 * Tells systemd of new limits: those that are not told stay, and so do devices. The files of the cgroup are the caller's
 * to write.
 *
 * @param unit as the record of the container has it
 * @throws PaddockError where systemd is not reached or refuses.
 */
export async function updateScope(unit: string, resources: Resources, facts: Facts): Promise<void> {
  using manager = await Manager.open();
  await manager.setProperties(unit, listProperties(resources, describeHost(facts, manager)));
}

/**
 * Ends all that is in a scope, and waits until systemd has removed it.
 *
 * @param paths the container's cgroups
 * @throws PaddockError where systemd is not reached, or cannot stop it.
 */
export async function endScope(unit: string, paths: readonly string[]): Promise<void> {
  const left = paths.filter(isThere);
  if (left.length > 0) killCgroups(left);
  using manager = await Manager.open();
  await manager.stop(unit);
}

function describeHost({ cgroup }: Facts, { version }: Manager): SystemdHost {
  const devices = readText("/proc/devices");
  if (devices === undefined) throw new PaddockError("cannot read /proc/devices, which names groups of devices");
  return {
    // In a mix systemd controls nothing with the unified hierarchy.
    cgroup: cgroup.unified?.mount === "/sys/fs/cgroup" ? 2 : 1,
    version,
    groups: parseDeviceGroups(devices),
  };
}
