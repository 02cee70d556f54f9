/**
 * `paddock port`: which ports of the host lead to a container.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Port } from "../spec/network.ts";
import { openContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";

/**
 * Its published ports, or those that lead to one of its own.
 *
 * @throws PaddockError where there is no such container, or none leads to that one.
 */
export function listPorts(
  word: string,
  wanted: { readonly port: number; readonly protocol: string } | undefined,
  roots: Roots,
): readonly Port[] {
  const { id, record } = openContainer(roots, word);
  const ports = record?.network?.ports ?? [];
  if (wanted === undefined) return ports;
  const found = ports.filter(({ containerPort, protocol }) =>
    containerPort === wanted.port && protocol === wanted.protocol
  );
  if (found.length > 0) return found;
  throw new PaddockError(`no port of the host leads to ${wanted.port}/${wanted.protocol} of container '${id}'`, {
    hint: ports.length === 0 ? "publish it: run -p" : `paddock port ${id} lists those that there are`,
  });
}
