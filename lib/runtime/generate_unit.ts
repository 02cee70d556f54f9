/**
 * `paddock generate systemd`: units that start containers.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { selfCommand } from "../kernel/self.ts";
import { HEALTH_DEFAULTS, healthCommand } from "../spec/health.ts";
import { formatBootUnit, formatContainerUnit, formatHealthUnit } from "../spec/systemd_unit.ts";
import { openContainer } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import { STOP_SECONDS } from "./stop.ts";

/**
 * The text of a unit: of one container (with `health` of its checks), or without a name of all that should run after a boot.
 *
 * @throws PaddockError where there is no such container, or it cannot be started again.
 */
export function generateUnit(idOrName: string | undefined, roots: Roots, health: boolean): string {
  const context = { paddock: selfCommand(), ...roots };
  if (idOrName === undefined) return formatBootUnit(context);
  const { id, record } = openContainer(roots, idOrName);
  if (record?.keep !== true) {
    throw new PaddockError(`container '${id}' is removed when it ends: there is nothing that a unit could start`, {
      hint: "run it with --name or -d, and without --rm",
    });
  }
  if (health) {
    const { imageConfig = {} } = record;
    if (healthCommand(imageConfig) === undefined) {
      throw new PaddockError(`container '${id}' has no health check`, { hint: "run it with --health-cmd" });
    }
    const interval = imageConfig.healthcheck?.interval || HEALTH_DEFAULTS.interval;
    return formatHealthUnit({ id, intervalSeconds: interval / 1e9 }, context);
  }
  const restart = record.restart === undefined ? {} : { restart: record.restart };
  return formatContainerUnit(
    { id, image: record.image, ...restart, stopSeconds: record.stopTimeout ?? STOP_SECONDS },
    context,
  );
}
