/**
 * A container held still while something looks at its files.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { setFrozen } from "../kernel/cgroup.ts";
import { isThere } from "../kernel/syscall.ts";
import type { SeenContainer } from "../state/container.ts";

/**
 * Freezes a container for as long as `body` takes; one that does not run needs no freezing.
 *
 * @throws PaddockError where it runs and cannot be frozen; whatever `body` throws.
 */
export async function whilePaused<T>({ id, status, record }: SeenContainer, body: () => Promise<T>): Promise<T> {
  const paths = record?.cgroupPaths.filter(hasFreezer) ?? [];
  if (status !== "running") return await body();
  if (paths.length === 0) {
    throw new PaddockError(`container '${id}' cannot be paused: it has no cgroup with a freezer`, {
      hint: "what it writes meanwhile may be cut short: --pause=false says that this is fine",
    });
  }
  paths.forEach((path) => setFrozen(path, true));
  try {
    return await body();
  } finally {
    paths.forEach((path) => setFrozen(path, false));
  }
}

/** Can what is in a cgroup be frozen? */
function hasFreezer(path: string): boolean {
  return isThere(`${path}/freezer.state`) || isThere(`${path}/cgroup.freeze`);
}
