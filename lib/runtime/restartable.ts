/**
 * Containers that are to run again after a boot.
 *
 * @module
 */
import { listContainers, type SeenContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";

/** The names of those that do not run and, by their restart policies, should. */
export function listRestartable(roots: Roots): string[] {
  return listContainers(roots).filter(isRestartable).map(({ id }) => id);
}

/** One that failed as often as it may, or that its user ended, stays as it is; what the host's end has cut off does not. */
function isRestartable({ status, record }: SeenContainer): boolean {
  if (record?.restart === undefined || !["stopped", "dead"].includes(status)) return false;
  if (record.restart === "always") return true;
  return record.stopped !== true && (status === "dead" || record.restart === "unless-stopped");
}
