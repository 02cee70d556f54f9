/**
 * Other schemata for a container's class of cache and memory bandwidth (the kernel's
 * Documentation/filesystems/resctrl.rst).
 *
 * @module
 */
import { describeErrno } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import { readControl, tryControl } from "../kernel/cgroup.ts";
import type { IntelRdt } from "../spec/config.ts";

/** Where the class is, and what takes a write back. */
export interface RdtSurroundings {
  readonly facts: Facts;
  readonly id: string;
  readonly undo: DisposableStack;
}

/**
 * Writes the schemata into the class of the container, which `create` has made.
 *
 * @returns `linux.intelRdt` as it is from now on.
 * @throws PaddockError where there is no resctrl, no class of the container, or the kernel refuses.
 */
export function updateIntelRdt(
  before: IntelRdt,
  changes: Pick<IntelRdt, "l3CacheSchema" | "memBwSchema">,
  { facts, id, undo }: RdtSurroundings,
): IntelRdt {
  const mount = facts.mounts.find(({ type }) => type === "resctrl")?.target;
  if (mount === undefined) {
    throw new PaddockError("--l3-cache-schema, --mem-bw-schema: resctrl is not mounted here", {
      hint: "mount it where the processor has it: mount -t resctrl resctrl /sys/fs/resctrl",
    });
  }
  const path = `${mount}/${before.closID ?? id}/schemata`;
  const old = readControl(path);
  if (old === undefined) {
    throw new PaddockError(`the container has no class of its own: ${path} is not there`, {
      hint: "it gets one where config.json has linux.intelRdt when it is made",
    });
  }
  const lines = Object.values(changes).filter((line) => line !== "").map((line) => `${line.trimEnd()}\n`);
  undo.defer(() => old.trim().split("\n").forEach((line) => tryControl(path, `${line.trim()}\n`)));
  for (const line of lines) {
    const errno = tryControl(path, line);
    if (errno !== 0) throw new PaddockError(`cannot write ${line.trim()} to ${path}: ${describeErrno(errno)}`);
  }
  return { ...before, ...changes };
}
