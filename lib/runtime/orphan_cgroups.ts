/**
 * Cgroups that no container has: of launchers that were compiled and stood alone, and of containers whose state is gone.
 *
 * Nothing but their place, `…/paddock/ID`, says that they are ours, and another state root (`--root`) may have
 * containers here of which this one knows nothing. So one is an orphan only when
 * - it holds processes, and none of them descends from a living launcher; or
 * - it holds none, and either its name says which launcher it was made by and that one is gone, or it has been there
 *   for some seconds, longer than a launcher takes from making a cgroup to putting its child in.
 *
 * @module
 */
import { isName, launcherOf } from "../base/names.ts";
import type { Facts } from "../host/facts.ts";
import { parseStat } from "../host/nofile.ts";
import { readText } from "../host/probe.ts";
import { PARENT, removeCgroups } from "../kernel/cgroup.ts";
import { attempt, type Problem } from "./erase_container.ts";

/** A cgroup that no container has. */
export interface OrphanCgroup {
  readonly path: string;
  /** The last part of its path: the container's id, or NAME-PID of a compiled launcher. */
  readonly id: string;
  readonly why: string;
}

/** How the processes of the host are asked; replaced in tests. */
export interface Processes {
  /** The processes in a cgroup and in those below it. */
  membersOf(path: string): readonly number[];
  /** The short name of a process, which a launcher sets for itself; `undefined` where it is gone. */
  nameOf(pid: number): string | undefined;
  /** The parent of a process; `undefined` where it is gone. */
  parentOf(pid: number): number | undefined;
}

/**
 * All orphans of all hierarchies.
 *
 * @param isOurs true for an id that has a state directory: what belongs to it is removed with it.
 */
export function findOrphanCgroups(facts: Facts, isOurs: (id: string) => boolean): OrphanCgroup[] {
  return listHierarchies(facts).flatMap(findPaddockDirectories).flatMap((parent) =>
    listDirectories(parent).filter(isName).flatMap((id): OrphanCgroup[] => {
      const path = `${parent}/${id}`;
      const why = isOurs(id) ? undefined : explainOrphan(path, id, readAge(path), PROCESSES);
      return why === undefined ? [] : [{ path, id, why }];
    })
  );
}

/** Kills what is in it and removes it. */
export function removeOrphanCgroup({ path }: OrphanCgroup): Promise<Problem[]> {
  return attempt(() => removeCgroups([path]));
}

/** Why a cgroup is an orphan; `undefined` where it may not be one. `age` in milliseconds. */
export function explainOrphan(path: string, id: string, age: number, processes: Processes): string | undefined {
  const launcher = launcherOf(id);
  if (launcher !== undefined && isLauncher(launcher, processes)) return undefined;
  const members = processes.membersOf(path);
  if (members.length > 0) {
    return members.some((pid) => hasLauncher(pid, processes)) ? undefined : "its processes have lost their launcher";
  }
  if (launcher !== undefined) return `its launcher, process ${launcher}, is gone`;
  return age > YOUNG ? "no process and no container is in it" : undefined;
}

/** True where the id is that of a launcher which lives: one that made its directory itself. */
export function hasLivingLauncher(id: string): boolean {
  const launcher = launcherOf(id);
  return launcher !== undefined && isLauncher(launcher, PROCESSES);
}

const YOUNG = 5000;

/** As deep as a cgroup parent is looked for: system.slice/NAME.service/paddock, and one more. */
const DEPTH = 4;

function isLauncher(pid: number, processes: Processes): boolean {
  return processes.nameOf(pid)?.startsWith("paddock:") ?? false;
}

/** True where the process or one above it is a launcher. */
function hasLauncher(pid: number, processes: Processes): boolean {
  for (let at: number | undefined = pid; at !== undefined && at > 1; at = processes.parentOf(at)) {
    if (isLauncher(at, processes)) return true;
  }
  return false;
}

function listHierarchies({ cgroup }: Facts): string[] {
  const mounts = Object.values(cgroup.controllers).map(({ mount }) => mount);
  return [...new Set([...mounts, ...(cgroup.unified === undefined ? [] : [cgroup.unified.mount])])];
}

/** Every directory named `paddock` that is not itself in one. */
function findPaddockDirectories(hierarchy: string): string[] {
  const search = (directory: string, depth: number): string[] =>
    listDirectories(directory).flatMap((name) => {
      const path = `${directory}/${name}`;
      if (name === PARENT) return [path];
      return depth === 0 ? [] : search(path, depth - 1);
    });
  return search(hierarchy, DEPTH - 1);
}

function listDirectories(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].filter((entry) => entry.isDirectory).map((entry) => entry.name);
  } catch {
    // It went while we looked.
    return [];
  }
}

/** Milliseconds since a cgroup was made or last changed its children. */
function readAge(path: string): number {
  try {
    return Date.now() - (Deno.lstatSync(path).mtime?.getTime() ?? 0);
  } catch {
    return 0;
  }
}

const PROCESSES: Processes = {
  membersOf: (path) => [
    ...(readText(`${path}/cgroup.procs`) ?? "").split("\n").filter((line) => line !== "").map(Number),
    ...listDirectories(path).flatMap((name) => PROCESSES.membersOf(`${path}/${name}`)),
  ],
  nameOf: (pid) => readText(`/proc/${pid}/comm`),
  parentOf: (pid) => parseStat(readText(`/proc/${pid}/stat`) ?? "")?.parent,
};
