/**
 * Containers that were made from a bundle, by the verbs of an OCI runtime: created, started, killed and deleted by
 * others, with no launcher that watches over them.
 *
 * Their state is what their first process is (runtime-spec runtime.md, State). A process id is used again after its end,
 * so the process counts only where it began when the container's did (`/proc/PID/stat`, field 22).
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { isName } from "../base/names.ts";
import { isFrozen } from "../kernel/cgroup.ts";
import { isThere } from "../kernel/syscall.ts";
import { listIds, readRecord } from "./container.ts";
import type { ContainerRecord } from "./record.ts";

/** Status of runtime.md; `paused` is runc's extension. */
export type BundleStatus = "creating" | "created" | "running" | "paused" | "stopped";

/** A container made from a bundle, as it is now. */
export interface BundleContainer {
  readonly id: string;
  readonly directory: string;
  readonly record: ContainerRecord;
  readonly status: BundleStatus;
  /** Its first process as the host counts; absent while it is being created. Kept when it has ended. */
  readonly pid: number | undefined;
}

/** Name of the fifo that `start` writes to; gone once the container is started. */
export const EXEC_FIFO = "exec.fifo";

/** Name of the file with the record of what failed between start and exec; empty where nothing has. */
export const START_REPORT = "report";

/**
 * The container of that id.
 *
 * @throws PaddockError where there is none; engines read its words.
 */
export function openBundleContainer(root: string, id: string): BundleContainer {
  const found = isName(id) ? seeBundleContainer(root, id) : undefined;
  if (found !== undefined) return found;
  const other = isName(id) && isThere(`${root}/${id}`);
  throw new PaddockError(`container '${id}' does not exist${other ? " among those made from bundles" : ""}`, {
    hint: other ? `it was made by run: paddock rm -f ${id} ends it` : "paddock list shows those that there are",
  });
}

/** The container of that id as it is now; `undefined` where there is none that was made from a bundle. */
export function seeBundleContainer(root: string, id: string): BundleContainer | undefined {
  const directory = `${root}/${id}`;
  const record = readRecord(directory);
  if (record?.bundle === undefined) return undefined;
  const pid = readNumber(`${directory}/pid`);
  return { id, directory, record, pid, status: deriveBundleStatus(directory, record, pid) };
}

/** All of them, sorted by id. */
export function listBundleContainers(root: string): BundleContainer[] {
  return listIds(root).sort().map((id) => seeBundleContainer(root, id)).filter((seen) => seen !== undefined);
}

/** What `/proc/PID/stat` says that tells one process from another of that number, and whether it has ended. */
export interface ProcessIdentity {
  /** One letter; Z and X have ended. */
  readonly state: string;
  /** Ticks since the boot. */
  readonly began: string;
}

/** Reads a line of `/proc/PID/stat`: the name in it may hold anything, a `)` too. */
export function parseIdentity(stat: string): ProcessIdentity | undefined {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const [state, began] = [fields[0], fields[19]];
  return state === undefined || began === undefined ? undefined : { state, began };
}

function deriveBundleStatus(directory: string, record: ContainerRecord, pid: number | undefined): BundleStatus {
  const made = isThere(`${directory}/stat`) ? parseIdentity(Deno.readTextFileSync(`${directory}/stat`)) : undefined;
  if (pid === undefined || made === undefined) return "creating";
  const now = isThere(`/proc/${pid}/stat`) ? parseIdentity(readOr(`/proc/${pid}/stat`)) : undefined;
  if (now === undefined || now.began !== made.began || now.state === "Z" || now.state === "X") return "stopped";
  if (isThere(`${directory}/${EXEC_FIFO}`)) return "created";
  return record.cgroupPaths.some(isFrozen) ? "paused" : "running";
}

function readOr(path: string): string {
  if (!isThere(path)) return "";
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function readNumber(path: string): number | undefined {
  const number = parseInt(readOr(path), 10);
  return number > 0 ? number : undefined;
}
