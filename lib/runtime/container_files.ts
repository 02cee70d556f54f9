/**
 * The files of a container, whether it runs or not, as a root that paths are looked up in.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { encodeText } from "../base/byte_string.ts";
import { Fd } from "../kernel/fd.ts";
import { AT, O, openDirectory } from "../kernel/fs.ts";
import { openMerged, openWritable } from "../kernel/merged.ts";
import { removeTreeAt } from "../kernel/remove_tree.ts";
import { must } from "../kernel/syscall.ts";
import { adoptContainer, openContainer, seeContainer, type SeenContainer } from "../state/container.ts";
import { isLocked } from "../state/lock.ts";
import type { ContainerRecord } from "../state/record.ts";
import { makeDirectory, type Roots } from "../state/root.ts";

/** A root, and a path in it. */
export interface View extends Disposable {
  readonly root: number;
  /** From the root on. */
  readonly path: string;
  /** In the user's words. */
  readonly shown: string;
  /** Where ids in the container are others than those on disk. */
  readonly ids?: NonNullable<ContainerRecord["ids"]>;
}

/** The host's own files. @param path absolute. */
export function openHostView(path: string): View {
  const root = openDirectory("/");
  return { root: root.number, path, shown: path, [Symbol.dispose]: () => root.close() };
}

/**
 * What a container sees while it runs; else its layers as one, and its volumes.
 *
 * @param writable keeps it from being started until the view is closed.
 * @throws PaddockError where there is none, or its files cannot be had.
 */
export function openView(word: string, path: string, roots: Roots, writable: boolean): View {
  const seen = openContainer(roots, word);
  const about = { shown: `${word}:${path}`, ...(seen.record?.ids === undefined ? {} : { ids: seen.record.ids }) };
  if (seen.status === "running" || seen.status === "creating") {
    const root = openRunningRoot(seen);
    return { ...about, root: root.number, path, [Symbol.dispose]: () => root.close() };
  }
  using stack = new DisposableStack();
  if (writable) stack.use(adopt(roots, seen.id));
  const volume = findVolume(seen.record, path);
  const root = stack.use(
    volume !== undefined ? openDirectory(volume.directory) : openStopped(seen, writable, stack),
  );
  const all = stack.move();
  return { ...about, root: root.number, path: volume?.path ?? path, [Symbol.dispose]: () => all.dispose() };
}

/** `/proc/PID/root`: the kernel's own link into the container's mount namespace (`man 5 proc_pid_root`). */
export function openRunningRoot({ id, pid, directory }: SeenContainer): Fd {
  if (pid === undefined) throw new PaddockError(`container '${id}' is just being made`, { hint: "try again" });
  const path = `/proc/${pid}/root`;
  const root = new Fd(must(path, "openat", AT.FDCWD, path, O.PATH | O.DIRECTORY | O.CLOEXEC, 0));
  // Its first process lives as long as its launcher holds the lock: the number was not another's meanwhile.
  if (isLocked(directory)) return root;
  root.close();
  throw new PaddockError(`container '${id}' has ended just now`, { hint: "try again" });
}

function openStopped({ id, record }: SeenContainer, writable: boolean, stack: DisposableStack): Fd {
  const layers = record?.layers ?? [];
  if (layers.length === 0) throw new PaddockError(`container '${id}' has no files that could be reached`);
  if (!writable || layers.length === 1) return openMerged(layers);
  if (record?.ids !== undefined) {
    throw new PaddockError(`nothing is copied into container '${id}' while it does not run: its ids are its own`, {
      hint: `start it: paddock start ${id}`,
    });
  }
  // Beside its upper directory, on the same filesystem; a start removes what a crash would leave of it.
  const work = `${record?.dataDir}/work${WORK}`;
  makeDirectory(work);
  stack.defer(() => {
    using parent = openDirectory(record!.dataDir!);
    removeTreeAt(parent.number, encodeText(`work${WORK}`));
  });
  return openWritable(layers, work);
}

/** Not one of those that the container itself has. */
const WORK = 999;

function adopt(roots: Roots, id: string): Disposable {
  const owned = adoptContainer(roots, id);
  if (typeof owned === "object") return { [Symbol.dispose]: () => owned.lock.release() };
  const now = seeContainer(roots, id);
  throw new PaddockError(`container '${id}' was ${now === undefined ? "removed" : "taken up"} by another just now`, {
    hint: "try again",
  });
}

/** A volume hides what the layers have in its place; where the path goes through a link into one, nothing is seen of it. */
function findVolume(
  record: ContainerRecord | undefined,
  path: string,
): { readonly directory: string; readonly path: string } | undefined {
  const isOwn = (target: string): boolean => path === target || path.startsWith(`${target}/`);
  const index = (record?.volumes ?? []).findIndex(isOwn);
  if (index < 0) return undefined;
  return {
    directory: `${record!.dataDir}/volumes/${index}`,
    path: `${path.slice(record!.volumes![index]!.length)}` || "/",
  };
}
