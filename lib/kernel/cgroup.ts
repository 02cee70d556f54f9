/**
 * Cgroups of containers that are over: finding them, killing what is left in them, removing them.
 *
 * @module
 */
import { describeErrno } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import { AT, E, O } from "./constants.ts";
import { syscall } from "./syscall.ts";

/** A container's directory in one hierarchy, as found below the mount point. */
export interface FoundCgroup {
  readonly id: string;
  readonly path: string;
}

/** How long the removal of one container's cgroups may take, milliseconds. */
const PATIENCE = 5000;

/** The first and the greatest pause between two tries, milliseconds; each is twice the one before. */
const PAUSE = { first: 1, most: 100 } as const;

const SIGKILL = 9;
const ESRCH = 3;

/**
 * Removes the cgroups of one container, with all that is in them: kills its processes, removes sub-cgroups first, and
 * tries again while the kernel says "busy", for it lets go of a dead process a moment after its death.
 *
 * Directories that are gone already are fine.
 *
 * @param paths the container's directory in each hierarchy: absolute, below another cgroup
 * @param patience milliseconds until it gives up
 * @throws PaddockError where a path is no container's cgroup, this process is in one, or one is still busy in the end
 */
export async function removeCgroups(paths: readonly string[], patience: number = PATIENCE): Promise<void> {
  const deadline = Date.now() + patience;
  let left = paths.filter(exists);
  left.forEach(refuseForeign);
  for (let pause: number = PAUSE.first;; pause = Math.min(pause * 2, PAUSE.most)) {
    left = left.filter((path) => removeTree(path) !== 0);
    if (left.length === 0) return;
    killCgroups(left);
    if (Date.now() >= deadline) throw explainRefusal(left, patience);
    await new Promise((done) => setTimeout(done, pause));
  }
}

/**
 * Kills every process in these cgroups and below: by `cgroup.kill` where there is one, else, so that none can start
 * another meanwhile, frozen first and thawed after.
 *
 * A process id is used again after its end: each is killed by a descriptor of it, after another look whether it is still
 * in the cgroup.
 *
 * @throws PaddockError where this process itself is in there
 */
export function killCgroups(paths: readonly string[]): void {
  const trees = paths.flatMap(listTree);
  refuseSuicide(trees);
  if (!trees.some((path) => readPids(path).length > 0)) return;
  // A hierarchy of v1 knows no cgroup.kill, and a process may be in one hierarchy and not in another.
  paths.forEach((path) => writeControl(`${path}/cgroup.kill`, "1"));
  paths.forEach((path) => setFrozen(path, true));
  try {
    for (const path of trees) for (const pid of readPids(path)) killMember(path, pid);
  } finally {
    trees.forEach((path) => setFrozen(path, false));
  }
}

/** The processes in these cgroups and below, each once, ascending; those of other pid namespaces, which have no number here, left out. */
export function listProcesses(paths: readonly string[]): number[] {
  return [...new Set(paths.flatMap(listTree).flatMap(readPids))].filter((pid) => pid > 0).sort((a, b) => a - b);
}

/**
 * Every directory `MOUNT/paddock/ID`, in each of the hierarchies.
 *
 * @param mounts mount points of hierarchies, or parents given by the user
 */
export function listContainerCgroups(mounts: readonly string[]): FoundCgroup[] {
  return [...new Set(mounts)].flatMap((mount) => {
    const parent = `${mount === "/" ? "" : mount}/${PARENT}`;
    return listChildren(parent).map((id) => ({ id, path: `${parent}/${id}` }));
  });
}

/** The directory that holds all containers' cgroups. */
export const PARENT = "paddock";

/** Removes the parent directory in each hierarchy where nothing is in it; true where all are gone. */
export function removeEmptyParents(mounts: readonly string[]): boolean {
  return [...new Set(mounts)].map((mount) => rmdir(`${mount}/${PARENT}`)).every((errno) => errno === 0);
}

/** The text of a control file, or `undefined` where it is not there or cannot be read. */
export function readControl(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/** Writes a control file; false where the kernel refuses or the file is not there. */
export function writeControl(path: string, data: string): boolean {
  try {
    Deno.writeTextFileSync(path, data, { create: false });
    return true;
  } catch {
    return false;
  }
}

/** As `writeControl`, in one write; 0, or the number of the error. */
export function tryControl(path: string, data: string): number {
  const fd = syscall("openat", AT.FDCWD, path, O.WRONLY | O.CLOEXEC, 0);
  if (fd < 0) return -fd;
  const bytes = new TextEncoder().encode(data);
  const written = syscall("write", fd, bytes, bytes.length);
  syscall("close", fd);
  return written < 0 ? -written : 0;
}

function exists(path: string): boolean {
  try {
    return Deno.lstatSync(path).isDirectory;
  } catch {
    return false;
  }
}

/**
 * What is removed is a cgroup, and lies in another: never a mount point, whose parent is none, nor anything that is not
 * a cgroup at all. State records are ours, but a wrong one must not cost somebody else's processes.
 */
function refuseForeign(path: string): void {
  const parent = path.slice(0, path.lastIndexOf("/"));
  const isNormal = path.startsWith("/") && !path.split("/").slice(1).some((part) => ["", ".", ".."].includes(part));
  const isCgroup = (directory: string): boolean => readControl(`${directory}/cgroup.procs`) !== undefined;
  if (isNormal && isCgroup(path) && isCgroup(parent)) return;
  throw new PaddockError(`${path} is no container's cgroup, and is left alone`);
}

function refuseSuicide(trees: readonly string[]): void {
  const own = trees.find((path) => readPids(path).includes(Deno.pid));
  if (own === undefined) return;
  throw new PaddockError(`this process is itself in the cgroup ${own}, which it would have to empty`, {
    hint: `run this from outside of the container, or move the shell out first: echo $$ > ${own}/../../cgroup.procs`,
  });
}

/** The directory and all below it, the deepest first. */
function listTree(path: string): string[] {
  return [...listChildren(path).flatMap((name) => listTree(`${path}/${name}`)), path];
}

function listChildren(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].filter((entry) => entry.isDirectory).map((entry) => entry.name).sort();
  } catch {
    return [];
  }
}

/** Removes a tree of cgroups; 0, or the error number of the first that is refused. */
function removeTree(path: string): number {
  for (const directory of listTree(path)) {
    const errno = rmdir(directory);
    if (errno !== 0) return errno;
  }
  return 0;
}

/** Removes one directory; 0, also where it is gone already, or the error number. */
function rmdir(path: string): number {
  const result = syscall("unlinkat", AT.FDCWD, path, AT.REMOVEDIR);
  return result === 0 || result === -E.NOENT ? 0 : -result;
}

/** Process ids in one cgroup; 0 for each of another pid namespace. A threaded cgroup lists none, and refuses to. */
function readPids(path: string): number[] {
  const text = readControl(`${path}/cgroup.procs`) ?? "";
  return text.split("\n").filter((line) => line !== "").map(Number);
}

/** Stops everything in a cgroup, or lets it go on; does nothing where that hierarchy cannot. */
export function setFrozen(path: string, frozen: boolean): void {
  if (writeControl(`${path}/cgroup.freeze`, frozen ? "1" : "0")) return;
  writeControl(`${path}/freezer.state`, frozen ? "FROZEN" : "THAWED");
}

/** Is everything in a cgroup stopped, or about to be? */
export function isFrozen(path: string): boolean {
  const state = readControl(`${path}/freezer.state`) ?? "";
  // v1 says FREEZING until the last process is.
  return state.startsWith("FR") || (readControl(`${path}/cgroup.freeze`) ?? "").trim() === "1";
}

function killMember(path: string, pid: number): void {
  if (pid <= 0) return;
  const fd = syscall("pidfd_open", pid, 0);
  if (fd === -ESRCH) return;
  // Before Linux 5.3 there are no descriptors of processes; frozen ones cannot end, so that their ids stay theirs.
  if (fd < 0) {
    syscall("kill", pid, SIGKILL);
    return;
  }
  try {
    if (readPids(path).includes(pid)) syscall("pidfd_send_signal", fd, SIGKILL, null, 0);
  } finally {
    syscall("close", fd);
  }
}

function explainRefusal(left: readonly string[], patience: number): PaddockError {
  const path = left[0]!;
  const pids = listProcesses(left);
  const why = pids.length > 0
    ? `process ${pids.join(", ")} in it did not end within ${patience / 1000} s of SIGKILL`
    : describeErrno(removeTree(path));
  const more = left.length > 1 ? ` (and ${left.length - 1} more)` : "";
  return new PaddockError(`cannot remove the cgroup ${path}${more}: ${why}`, {
    hint: pids.length > 0
      ? `see what it waits for in /proc/${pids[0]}/stack, and run 'paddock gc' when it is gone`
      : "run 'paddock gc' later",
  });
}
