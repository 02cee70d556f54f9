/**
 * Tries whether an overlay works in a directory, without mounting anything anywhere.
 *
 * The new mount calls (`man 2 fsopen`, Linux 5.2) make a mount that is attached to no directory: it is seen through
 * its descriptor alone, and gone when that is closed.
 *
 * @module
 */
import { describeErrno } from "../base/errno.ts";
import { O } from "../kernel/fs.ts";
import { syscall } from "../kernel/syscall.ts";

/** How a trial came out. */
export interface OverlayTrial {
  readonly works: boolean;
  /** Which step failed and why, or what was done. */
  readonly detail: string;
}

/**
 * Mounts a small overlay on directories below `directory`, writes to it and removes a file of the lower layer, which
 * takes a whiteout and so a device node in the upper one.
 *
 * @param directory must exist; what is made in it is removed again.
 * @returns `undefined` where it cannot be tried: no root, a kernel without these calls, or no place for directories.
 */
export function tryOverlay(directory: string): OverlayTrial | undefined {
  let base: string;
  try {
    base = Deno.makeTempDirSync({ dir: directory, prefix: ".overlay-" });
  } catch {
    return undefined;
  }
  try {
    for (const layer of ["lower", "upper", "work"]) Deno.mkdirSync(`${base}/${layer}`);
    Deno.writeTextFileSync(`${base}/lower/old`, "");
    return mountAndWrite(base);
  } finally {
    Deno.removeSync(base, { recursive: true });
  }
}

const EPERM = 1;
const ENOSYS = 38;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;

function mountAndWrite(base: string): OverlayTrial | undefined {
  const context = syscall("fsopen", "overlay", 1);
  if (context === -ENOSYS || context === -EPERM) return undefined;
  if (context < 0) return fail("open the filesystem", context);
  try {
    for (const [option, layer] of [["lowerdir", "lower"], ["upperdir", "upper"], ["workdir", "work"]] as const) {
      const set = syscall("fsconfig", context, FSCONFIG_SET_STRING, option, `${base}/${layer}`, 0);
      if (set < 0) return fail(`set ${option}`, set);
    }
    const made = syscall("fsconfig", context, FSCONFIG_CMD_CREATE, null, null, 0);
    if (made < 0) return fail("make the filesystem", made);
    const mount = syscall("fsmount", context, 1, 0);
    if (mount < 0) return fail("mount it", mount);
    try {
      return writeInto(mount);
    } finally {
      syscall("close", mount);
    }
  } finally {
    syscall("close", context);
  }
}

function writeInto(mount: number): OverlayTrial {
  const file = syscall("openat", mount, "new", O.WRONLY | O.CREAT | O.CLOEXEC, 0o600);
  if (file < 0) return fail("make a file", file);
  syscall("close", file);
  const removed = syscall("unlinkat", mount, "old", 0);
  if (removed < 0) return fail("remove a file of the lower layer", removed);
  const seen = syscall("faccessat", mount, "old", 0);
  return seen < 0
    ? { works: true, detail: "mounted, written and removed from" }
    : { works: false, detail: "a removed file is still seen" };
}

function fail(step: string, answer: number): OverlayTrial {
  return { works: false, detail: `cannot ${step}: ${describeErrno(-answer)}` };
}
