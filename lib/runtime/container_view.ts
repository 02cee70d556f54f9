/**
 * A container as `ps`, `inspect` and `events` show it: in docker's words, from what is on disk and in /proc.
 *
 * @module
 */
import { isFrozen } from "../kernel/cgroup.ts";
import { isThere } from "../kernel/syscall.ts";
import { listContainers, PID_FILE, type SeenContainer } from "../state/container.ts";
import { beginHealth, type Health, healthCommand } from "../spec/health.ts";
import { readHealth } from "../state/health.ts";
import { readLastCode } from "../state/restarts.ts";
import type { Roots } from "../state/root.ts";

/** docker's word for how a container is. */
export type ContainerState = "created" | "running" | "restarting" | "paused" | "exited" | "dead";

/** What is seen of a container, and what follows from it. */
export interface ContainerView extends SeenContainer {
  readonly state: ContainerState;
  /** When its command began, ISO 8601 in UTC; absent where nobody knows any more. */
  readonly startedAt?: string;
  /** Whether it is well, where it runs and has a check. */
  readonly health?: Health;
  /** Of one that is about to be started again: the exit code of its last end. */
  readonly lastCode?: number;
}

const STATE = {
  creating: "created",
  running: "running",
  restarting: "restarting",
  stopped: "exited",
  dead: "dead",
} as const;

/** All containers from images, the newest first. */
export function viewContainers(roots: Roots): ContainerView[] {
  const own = listContainers(roots).filter(({ record }) => record?.bundle === undefined);
  // Those that are just being made have no record, and are the newest.
  const age = ({ record }: SeenContainer): string => record?.created ?? "9";
  return own.map(viewContainer).sort((a, b) => age(a) < age(b) ? 1 : age(a) > age(b) ? -1 : 0);
}

/** One of them. */
export function viewContainer(seen: SeenContainer): ContainerView {
  const { status, record, directory } = seen;
  const startedAt = record?.exit?.startedAt ?? readStart(directory);
  const isPaused = status === "running" && (record?.cgroupPaths ?? []).some(isPausedAt);
  const lastCode = status === "restarting" ? readLastCode(directory) : undefined;
  const health = healthOf(seen);
  return {
    ...seen,
    state: isPaused ? "paused" : STATE[status],
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(health === undefined ? {} : { health }),
    ...(lastCode === undefined ? {} : { lastCode }),
  };
}

/** What is known of its health in this life; undefined where it does not run, or has no check. */
export function healthOf({ status, record, directory }: SeenContainer): Health | undefined {
  if (status !== "running" || healthCommand(record?.imageConfig ?? {}) === undefined) return undefined;
  const began = readStart(directory);
  const known = readHealth(directory);
  if (known !== undefined && known.began === began) return known;
  return began === undefined ? undefined : beginHealth(began);
}

/** The launcher writes its first process's number when it begins: the file's time is that. */
export function readStart(directory: string): string | undefined {
  const path = `${directory}/${PID_FILE}`;
  return isThere(path) ? Deno.statSync(path).mtime?.toISOString() : undefined;
}

/** Only one of v1's hierarchies has the file: the others are told apart without an exception for each. */
function isPausedAt(path: string): boolean {
  return (isThere(`${path}/freezer.state`) || isThere(`${path}/cgroup.freeze`)) && isFrozen(path);
}
