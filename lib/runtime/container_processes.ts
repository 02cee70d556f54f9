/**
 * A container of either kind, made from a bundle or run from an image, as one looks at its processes.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { isName } from "../base/names.ts";
import { isFrozen, listProcesses } from "../kernel/cgroup.ts";
import { openBundleContainer, seeBundleContainer } from "../state/bundle_container.ts";
import { findContainers, openContainer } from "../state/container.ts";
import type { ContainerRecord } from "../state/record.ts";
import type { Roots } from "../state/root.ts";

/** What of a container is needed to find and reach its processes. */
export interface LiveContainer {
  readonly id: string;
  readonly directory: string;
  /** Of a container from an image `running`, `paused`, `stopped`, `creating` or `dead`; else as `state` has it. */
  readonly status: string;
  readonly record: ContainerRecord;
  /** Its first process as the host counts. */
  readonly pid: number | undefined;
  readonly cgroupPaths: readonly string[];
}

/**
 * The container of that id, or whose id is the only one to begin so.
 *
 * @throws PaddockError where there is none; engines read its words.
 */
export function openLive(id: string, roots: Roots): LiveContainer {
  const bundle = isName(id) ? seeBundleContainer(roots.root, id) : undefined;
  if (bundle !== undefined) return { ...bundle, cgroupPaths: bundle.record.cgroupPaths };
  const [other, ...more] = findContainers(roots, id);
  // Says that there is none, or which there are.
  if (other?.record === undefined) return { ...openBundleContainer(roots.root, id), cgroupPaths: [] };
  if (more.length > 0 || other.record.bundle !== undefined) return openLive(openContainer(roots, id).id, roots);
  const { record, status } = other;
  const isPaused = status === "running" && record.cgroupPaths.some(isFrozen);
  return { ...other, record, status: isPaused ? "paused" : status, cgroupPaths: record.cgroupPaths };
}

/** True for a container whose first process lives, or may. */
export function isLive({ status }: Pick<LiveContainer, "status">): boolean {
  return ["created", "running", "paused"].includes(status);
}

/**
 * The processes of a container, ascending: those in its cgroups; where it has none, those of its pid namespace.
 *
 * @throws PaddockError where it does not run.
 */
export function listContainerProcesses(container: LiveContainer): number[] {
  if (!isLive(container)) throw new PaddockError("container not running");
  const { cgroupPaths, pid } = container;
  if (cgroupPaths.length > 0) return listProcesses(cgroupPaths);
  const own = pid === undefined ? undefined : pidNamespace(pid);
  if (pid === undefined || own === undefined || own === pidNamespace("self")) return pid === undefined ? [] : [pid];
  const all = Array.from(Deno.readDirSync("/proc"), ({ name }) => Number(name)).filter((number) => number > 0);
  return all.filter((number) => pidNamespace(number) === own).sort((a, b) => a - b);
}

function pidNamespace(pid: number | "self"): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}
