/**
 * Writes what an update comes to: all of it, or, where the kernel refuses something, nothing.
 *
 * @module
 */
import { describeErrno, errnoName } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import { explainCgroupFault } from "../cgroup/explain_fault.ts";
import type { FileWrite, Setting } from "../cgroup/setting.ts";
import { takeBack, type UpdateJoin } from "../cgroup/update.ts";
import { readControl, tryControl } from "../kernel/cgroup.ts";
import { isThere } from "../kernel/syscall.ts";

/**
 * Writes the settings of each hierarchy into the container's directory there.
 *
 * @param paths the container's directories
 * @param undo gets what takes each write back
 * @throws PaddockError naming the limit that was refused
 */
export function applyUpdate(joins: readonly UpdateJoin[], paths: readonly string[], undo: DisposableStack): void {
  const writes = joins.flatMap((join) => {
    const directory = findDirectory(join, paths);
    if (join.version === 2) handDown(join, directory);
    return join.settings.flatMap((setting) => setting.writes.flatMap((write) => choose(directory, setting, write)));
  });
  for (const { path, lines } of writes) {
    const before = readControl(path);
    const name = path.slice(path.lastIndexOf("/") + 1);
    if (before !== undefined) {
      undo.defer(() => void writeAll([{ what: "", path, lines: takeBack(name, before, lines) }]));
    }
  }
  const refused = writeAll(writes);
  if (refused !== undefined) throw explain(refused);
}

/** One file and its lines, each a write of its own. */
interface Write {
  readonly what: string;
  readonly path: string;
  readonly lines: readonly string[];
}

interface Refused extends Write {
  readonly errno: number;
}

/**
 * What is refused is tried again after the others: of two limits that bound each other (memory, and memory with swap;
 * quota and period; burst and quota) which has to go first depends on what was there before.
 */
function writeAll(writes: readonly Write[]): Refused | undefined {
  let left = writes;
  for (;;) {
    const refused = left.flatMap((write): Refused[] => {
      const errno = write.lines.map((line) => tryControl(write.path, line)).find((errno) => errno !== 0);
      return errno === undefined ? [] : [{ ...write, errno }];
    });
    if (refused.length === 0) return undefined;
    if (refused.length === left.length) return refused[0];
    left = refused;
  }
}

function findDirectory({ version, mount, settings }: UpdateJoin, paths: readonly string[]): string {
  const found = paths.find((path) => path.startsWith(`${mount}/`));
  if (found !== undefined) return found;
  throw new PaddockError(`cannot ${settings[0]!.what}: the container has no cgroup in ${mount}`, {
    hint: version === 1 ? "it was made where that hierarchy was not mounted: make it anew" : "make it anew",
  });
}

/** A controller is in a directory of v2 where every one above hands it down; what is handed down already is no fault. */
function handDown({ mount, controllers }: UpdateJoin, directory: string): void {
  const names = directory.slice(mount.length).split("/").filter((name) => name !== "");
  const above = names.map((_, index) => [mount, ...names.slice(0, index)].join("/"));
  for (const path of above) {
    for (const name of controllers) tryControl(`${path}/cgroup.subtree_control`, `+${name}`);
  }
}

/** Of several names the first that is there; none for what is held without its file. */
function choose(directory: string, { what }: Setting, { files, optional }: FileWrite): Write[] {
  const file = files.find(({ name }) => isThere(`${directory}/${name}`)) ?? (optional ? undefined : files[0]);
  return file === undefined ? [] : [{ what, path: `${directory}/${file.name}`, lines: file.data }];
}

function explain({ what, path, lines, errno }: Refused): PaddockError {
  const hint = explainCgroupFault({ call: "write", path, code: errnoName(errno) });
  return new PaddockError(`cannot ${what}: write ${lines.join(", ")} to ${path}: ${describeErrno(errno)}`, {
    ...(hint === undefined ? {} : { hint }),
  });
}
