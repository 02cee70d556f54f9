/**
 * `paddock ps`: the containers that there are.
 *
 * @module
 */
import { listContainers as listAll, type SeenContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";

/**
 * The running containers, and with `all` those that are kept too. What a dead one left that nobody keeps is no
 * container: the next `run` or `gc` removes it.
 */
export function listContainers(roots: Roots, { all }: { readonly all: boolean }): SeenContainer[] {
  return listAll(roots).filter(({ status, record }) =>
    // Those of bundles are for `list`: who made them watches over them.
    record?.bundle === undefined && (status === "running" || status === "creating" || (all && record?.keep === true))
  );
}
