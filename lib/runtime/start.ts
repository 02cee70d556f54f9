/**
 * `paddock start`: lets a created container go (runtime-spec runtime.md, start).
 *
 * ```
 *   start                                      container
 *   write a byte into exec.fifo ─────────────▶ startContainer hooks
 *   with hooks: wait                           exec ──▶ the command      (or: the record of what failed, and its end)
 *   ◀───────────────────────────────────────── its end of the fifo is closed
 *   poststart hooks
 * ```
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { isName } from "../base/names.ts";
import { isThere, syscall } from "../kernel/syscall.ts";
import {
  type BundleContainer,
  EXEC_FIFO,
  openBundleContainer,
  seeBundleContainer,
  START_REPORT,
} from "../state/bundle_container.ts";
import { findContainers } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import type { Voice } from "./voice.ts";

/** True for the id of a container that was made from a bundle, and for one that there is none of: engines ask so. */
export function isOfBundle(id: string, roots: Roots): boolean {
  return isName(id) && seeBundleContainer(roots.root, id) !== undefined || findContainers(roots, id).length === 0;
}

/**
 * Lets a created container go.
 *
 * @throws PaddockError where it is not created; or where a hook fails: then the container is ended and removed.
 */
export async function startBundle(id: string, roots: Roots, voice: Voice): Promise<void> {
  const seen = openBundleContainer(roots.root, id);
  if (seen.status !== "created") throw new PaddockError(refuseStart(seen));
  if (seen.record.command.length === 0) throw new PaddockError("cannot start a container that has no process");
  // Who renames it is the one who starts it.
  const [fifo, claimed] = [`${seen.directory}/${EXEC_FIFO}`, `${seen.directory}/.${EXEC_FIFO}`];
  if (syscall("renameat", AT_FDCWD, fifo, AT_FDCWD, claimed) < 0) throw new PaddockError(refuseStart(seen));
  const fd = syscall("openat", AT_FDCWD, claimed, O_WRONLY_NONBLOCK_CLOEXEC, 0);
  const written = fd < 0 ? fd : syscall("write", fd, new Uint8Array(1), 1);
  syscall("unlinkat", AT_FDCWD, claimed, 0);
  const awaits = written === 1 && isThere(`${seen.directory}/${START_REPORT}`);
  if (awaits) waitUntilClosed(fd);
  if (fd >= 0) syscall("close", fd);
  if (written !== 1) throw new PaddockError("cannot start a container that has stopped");
  if (awaits) await follow(seen, roots, voice);
}

function refuseStart({ status }: BundleContainer): string {
  return status === "stopped"
    ? "cannot start a container that has stopped"
    : status === "creating"
    ? "cannot start a container that is being created"
    : "cannot start an already running container";
}

const AT_FDCWD = -100;
const O_WRONLY_NONBLOCK_CLOEXEC = 0o1 | 0o4000 | 0o2000000;

/** A pipe whose last reader is gone shows an error (`man 2 poll`, POLLERR). */
function waitUntilClosed(fd: number): void {
  const poll = new Uint8Array(new Int32Array([fd, 0]).buffer);
  syscall("ppoll", poll, 1, null, null, 8);
}

/** What comes after the exec. Where that has not come to pass, or a hook fails, nothing stays. */
async function follow(seen: BundleContainer, roots: Roots, voice: Voice): Promise<void> {
  try {
    const failure = await readFailure(seen);
    if (failure !== undefined) throw failure;
    const { readHooks, runPoststart } = await import("./hooks.ts");
    runPoststart(readHooks(seen.directory, seen.id, seen.record), seen.pid ?? 0);
  } catch (error) {
    const { endBundle, removeBundle } = await import("./delete_bundle.ts");
    await endBundle(seen);
    await removeBundle(seen, roots, voice);
    throw error;
  }
}

async function readFailure({ directory, record }: BundleContainer): Promise<PaddockError | undefined> {
  const data = Deno.readFileSync(`${directory}/${START_REPORT}`);
  if (data.length === 0) return undefined;
  const [{ decodeData }, { explainFault }, { inWordsOfEngines }] = await Promise.all([
    import("../program/decode.ts"),
    import("./explain_fault.ts"),
    import("./finish_exec.ts"),
  ]);
  const program = decodeData(data);
  return program.fault === undefined ? undefined : inWordsOfEngines(explainFault(program, program.fault, record));
}
