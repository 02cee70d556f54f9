/**
 * A container whose cgroup systemd makes, as a transient scope.
 *
 * ```
 *   paddock                     systemd                     launcher                container
 *   start a keeper
 *   StartTransientUnit ───────▶ cgroup, limits,
 *     (PIDs: the keeper)        the keeper in it
 *   ◀────────────── JobRemoved
 *   become the launcher ──────────────────────────────────▶ clone ────────────────▶ enter the cgroup
 *                                                           end the keeper ◀─────── …
 * ```
 *
 * A scope begins with a process that is there, and ends with the last one in it. The container's own cannot be the first,
 * for it is born by a launcher that has no more JavaScript to talk to systemd with; and paddock or the launcher cannot
 * either, for the limits would hold for them. So a program of two system calls keeps the place.
 *
 * @module
 */
import type { CgroupRequest } from "../cgroup/acts.ts";
import { type Act, type Arch, type Plan, step, text } from "../program/step.ts";

/** The scope, as the launcher finds it. */
export interface Scope {
  readonly place: Pick<CgroupRequest, "name" | "parent">;
  /** The process that keeps the place, a child of the launcher's. */
  readonly keeper: number;
}

/** The program that keeps the place: it ends by itself where nobody is left to end it. */
export function planKeeper(arch: Arch): Plan {
  const PR_SET_NAME = 15;
  const patience = { size: 16, fields: [{ at: 0, size: 8, value: KEEPER_SECONDS }] } as const;
  const acts: Act[] = [{
    what: "keep the place in the scope",
    why: "until the container's first process is there",
    shell: [`sleep ${KEEPER_SECONDS}`],
    steps: [
      step("prctl", [PR_SET_NAME, text(KEEPER), 0, 0, 0], { onNegative: "next" }),
      step("nanosleep", [{ block: patience }, 0], { onNegative: "next" }),
      step("exit_group", [0], { label: "over" }),
    ],
  }];
  return {
    arch,
    name: KEEPER,
    regions: {},
    sections: [{ side: "launcher", title: "the keeper", fault: "over", acts }],
    cgroupPaths: [],
  };
}

/** What `ps` calls it: fifteen letters at most. */
const KEEPER = "paddock-scope";
const KEEPER_SECONDS = 60;
const SIGKILL = 9;

/** In the launcher, when the container's first process is in the scope. */
export function planScopeTaken({ scope }: { readonly scope?: Scope }): Act[] {
  if (scope === undefined) return [];
  return [{
    what: "end the process that kept the place in the scope",
    why: "systemd makes a scope around a process; now the container's own is in it",
    shell: [`kill -KILL ${scope.keeper}`],
    steps: [
      // A child of ours that nobody has waited for: the number is still its own.
      step("kill", [scope.keeper, SIGKILL], { onNegative: "next" }),
      step("wait4", [scope.keeper, 0, 0, 0], { onNegative: "next" }),
    ],
  }];
}
