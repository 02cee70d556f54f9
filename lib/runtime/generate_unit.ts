/**
 * `paddock generate systemd`: units that start containers.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { selfCommand } from "../kernel/self.ts";
import { formatBootUnit, formatContainerUnit } from "../spec/systemd_unit.ts";
import { openContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import { STOP_SECONDS } from "./stop.ts";

/**
 * The text of a unit: of one container, or without a name of all that should run after a boot.
 *
 * @throws PaddockError where there is no such container, or it cannot be started again.
 */
export function generateUnit(idOrName: string | undefined, roots: Roots): string {
  const context = { paddock: selfCommand(), ...roots };
  if (idOrName === undefined) return formatBootUnit(context);
  const { id, record } = openContainer(roots, idOrName);
  if (record?.keep !== true) {
    throw new PaddockError(`container '${id}' is removed when it ends: there is nothing that a unit could start`, {
      hint: "run it with --name or -d, and without --rm",
    });
  }
  const restart = record.restart === undefined ? {} : { restart: record.restart };
  return formatContainerUnit(
    { id, image: record.image, ...restart, stopSeconds: record.stopTimeout ?? STOP_SECONDS },
    context,
  );
}
