/**
 * `paddock export`: the files of a container as a tarball, as `docker export` makes it.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { exportTree } from "../image/export.ts";
import { Fd } from "../kernel/fd.ts";
import { O, openDirectory } from "../kernel/fs.ts";
import { openMerged } from "../kernel/merged.ts";
import { must } from "../kernel/syscall.ts";
import { openContainer, type SeenContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import { writeOutput } from "./write_output.ts";

/**
 * Writes a tarball.
 *
 * @param output path of the file, which appears when it is complete; undefined: standard output.
 * @throws PaddockError where there is no such container, or the file cannot be written.
 */
export async function exportContainer(name: string, output: string | undefined, roots: Roots): Promise<void> {
  const container = openContainer(roots, name);
  using root = openRootfs(container);
  await writeOutput(output, (write) => exportTree(root.number, write));
}

/** What the container sees while it runs, else its layers as one. */
function openRootfs({ id, pid, record }: SeenContainer): Fd {
  if (pid !== undefined) return openProcessRoot(pid);
  const layers = record?.layers ?? [];
  if (layers.length === 0) throw new PaddockError(`container ${id} has no files that could be exported`);
  return openMerged(layers);
}

/** `/proc/PID/root`: the kernel's own link into the container's mount namespace (`man 5 proc_pid_root`). */
function openProcessRoot(pid: number): Fd {
  const path = `/proc/${pid}/root`;
  using root = new Fd(must(path, "openat", -100, path, O.PATH | O.DIRECTORY | O.CLOEXEC, 0));
  return openDirectory(`/proc/self/fd/${root.number}/.`);
}
