/**
 * `paddock export`: the files of a container as a tarball, as `docker export` makes it.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { exportTree } from "../image/export.ts";
import type { Fd } from "../kernel/fd.ts";
import { openDirectory } from "../kernel/fs.ts";
import { openMerged } from "../kernel/merged.ts";
import { openContainer, type SeenContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import { openRunningRoot } from "./container_files.ts";
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
function openRootfs(container: SeenContainer): Fd {
  const { id, pid, record } = container;
  if (pid !== undefined) return openDirectoryOf(openRunningRoot(container));
  const layers = record?.layers ?? [];
  if (layers.length === 0) throw new PaddockError(`container ${id} has no files that could be exported`);
  return openMerged(layers);
}

/** What is only a place becomes one that can be read. */
function openDirectoryOf(place: Fd): Fd {
  using root = place;
  return openDirectory(`/proc/self/fd/${root.number}/.`);
}
