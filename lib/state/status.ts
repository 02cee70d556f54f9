/**
 * In which state a container is, and what may be done to it there.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { ContainerRecord } from "./record.ts";

/**
 * - `creating`: its directory is being filled;
 * - `running`: its launcher lives;
 * - `restarting`: its launcher lives and waits before it starts it again;
 * - `stopped`: it ended, and how is known;
 * - `dead`: its launcher was killed before it could say anything, or the host went down.
 */
export type Status = "creating" | "running" | "restarting" | "stopped" | "dead";

/** Derives the state from facts that cannot be stale: a lock dies with its holder. */
export function deriveStatus(locked: boolean, record: ContainerRecord | undefined, pid?: number): Status {
  // A compiled launcher writes no record: its process is there.
  if (locked) return record === undefined && pid === undefined ? "creating" : "running";
  return record?.exit === undefined ? "dead" : "stopped";
}

/** What can be done to a container. */
export type Action = "kill" | "exec" | "start" | "remove" | "export";

/** From which states an action may be taken, and where it leads. */
export const TRANSITIONS: Readonly<
  Record<Action, { readonly from: readonly Status[]; readonly to: Status | "as it was" | "gone" }>
> = {
  kill: { from: ["running", "restarting"], to: "stopped" },
  exec: { from: ["running"], to: "as it was" },
  start: { from: ["stopped", "dead"], to: "running" },
  export: { from: ["running", "restarting", "stopped", "dead"], to: "as it was" },
  remove: { from: ["stopped", "dead"], to: "gone" },
};

/**
 * Checks that the container's state allows the action.
 *
 * @throws PaddockError naming the state and what can be done instead.
 */
export function checkTransition(id: string, status: Status, action: Action): void {
  if (TRANSITIONS[action].from.includes(status)) return;
  const hint = HINTS[status]?.(id, action);
  throw new PaddockError(`cannot ${action} container '${id}': it is ${status}`, hint === undefined ? {} : { hint });
}

const HINTS: Partial<Record<Status, (id: string, action: Action) => string | undefined>> = {
  creating: () => "wait until it runs",
  restarting: (id) => `it is started again when it ends; to end it for good: paddock stop ${id}`,
  running: (id, action) => action === "remove" ? `kill it and remove it: paddock rm -f ${id}` : undefined,
};
