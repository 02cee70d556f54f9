/**
 * Descriptors of the caller's that the command gets: `--preserve-fds`, and those of systemd's socket activation
 * (`man 3 sd_listen_fds`).
 *
 * ```
 *   caller          paddock                launcher                      container
 *   3, 4, … ─────▶ 256, 257, … ─────────▶ closes all others, and ──────▶ moves them back to 3, 4, …
 *                                          marks them close-on-exec       just before the exec
 * ```
 *
 * Their own numbers are in use on the way: the lock has 3, and what is opened gets the lowest that is free.
 *
 * @module
 */
import { type Act, flags, previous, type Region, step } from "../program/step.ts";
import { LOCK_FD } from "./setting.ts";

/** The first descriptor that is no standard one. */
export const FIRST_FD = 3;

/** Where the first of them is on the way: above all numbers that steps use. */
export const PRESERVED_FD = 256;

/** So many at most, that none is moved back to a number that steps use. */
export const MOST_PRESERVED = 96;

/** Memory of these steps. */
export const PRESERVED_REGIONS: Readonly<Record<string, Region>> = { preserved: { size: 8 } };

/** In the launcher, in place of closing everything: all but these, and the lock where it is there. */
export function planClosingOthers(count: number, prepared: boolean): Act {
  return {
    what: "close inherited descriptors",
    why: `a descriptor of a host directory would be a way out of the container; ${count} are asked for`,
    shell: [],
    steps: [
      // A kernel without the call: paddock has marked them all to be closed when it executed the launcher.
      step("close_range", [prepared ? LOCK_FD + 1 : LOCK_FD, PRESERVED_FD - 1, 0], { onNegative: "next" }),
      step("close_range", [PRESERVED_FD + count, 0xffffffff, 0], { onNegative: "next" }),
      step("@store", [{ region: "preserved" }, PRESERVED_FD]),
      step("fcntl", [{ load: "preserved" }, flags("F_SETFD"), FD_CLOEXEC], { label: "preserved.mark" }),
      step("@add", [{ load: "preserved" }, 1]),
      step("@store", [{ region: "preserved" }, previous()]),
      step("@sub", [previous(), PRESERVED_FD + count], { onNegative: "preserved.mark" }),
    ],
  };
}

const FD_CLOEXEC = 1;

/** In the child, when it needs no descriptor of its own any more. */
export function planPreserved(count = 0): Act[] {
  if (count === 0) return [];
  const last = FIRST_FD + count - 1;
  return [{
    what: `hand on the descriptors ${FIRST_FD} to ${last}`,
    why: "asked for: the command has them from its caller",
    shell: [],
    steps: [
      step("@store", [{ region: "preserved" }, PRESERVED_FD]),
      step("@sub", [{ load: "preserved" }, PRESERVED_FD - FIRST_FD], { label: "preserved.move" }),
      step("dup3", [{ load: "preserved" }, previous(), 0]),
      step("@add", [{ load: "preserved" }, 1]),
      step("@store", [{ region: "preserved" }, previous()]),
      step("@sub", [previous(), PRESERVED_FD + count], { onNegative: "preserved.move" }),
    ],
  }];
}
