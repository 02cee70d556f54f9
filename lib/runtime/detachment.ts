/**
 * Where the files of a container in the background are.
 *
 * @module
 */
import type { Detachment, RestartPlan } from "../plan/detachment.ts";
import type { RestartPolicy, RunOptions } from "../spec/run_options.ts";
import { INPUT_FILE, LOG_FILE, MONITOR_FILE } from "../state/container.ts";
import { RESTARTS_FILE, STOPPING_FILE } from "../state/restarts.ts";

/** As part of its place: nothing where it is to stay in the foreground. */
export function detachmentOf(
  { detach, logDriver, logRotation, restart, interactive, tty }: Pick<
    RunOptions,
    "detach" | "logDriver" | "logRotation" | "restart" | "interactive" | "tty"
  >,
  { name, stateDir, dataDir, keep }: {
    readonly name: string;
    readonly stateDir: string;
    readonly dataDir: string;
    readonly keep: boolean;
  },
): { readonly detachment?: Detachment } {
  if (!detach) return {};
  // That of a container which is removed at its end goes with its state.
  const log = `${keep ? dataDir : stateDir}/${LOG_FILE}`;
  return {
    detachment: {
      monitorFile: `${stateDir}/${MONITOR_FILE}`,
      ...(logDriver === "file" || logDriver === "local" ? { log } : {}),
      ...(logDriver === "journald" ? { journald: name } : {}),
      ...(logRotation === undefined ? {} : { pump: logRotation }),
      ...(interactive && !tty ? { input: `${stateDir}/${INPUT_FILE}` } : {}),
      ...(restart === undefined ? {} : { restart: restartOf(restart, stateDir) }),
    },
  };
}

function restartOf({ when, atMost }: RestartPolicy, stateDir: string): RestartPlan {
  return {
    ...(when === "on-failure" ? { onFailure: atMost === undefined ? {} : { atMost } } : {}),
    stoppingFile: `${stateDir}/${STOPPING_FILE}`,
    countFile: `${stateDir}/${RESTARTS_FILE}`,
  };
}

/** A policy as the record has it, in its user's words. */
export function formatRestart({ when, atMost }: RestartPolicy): string {
  return atMost === undefined ? when : `${when}:${atMost}`;
}

/** True where a container and what it wrote are there after its end, until they are removed. */
export function isKept({ name, detach, rm }: Pick<RunOptions, "name" | "detach" | "rm">): boolean {
  return (name !== undefined || detach) && !rm;
}
