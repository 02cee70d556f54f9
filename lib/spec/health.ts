/**
 * Health checks: what is asked of a container, and what follows from the answers (docker's HEALTHCHECK).
 *
 * @module
 */
import type { Healthcheck, ImageConfig } from "./image_config.ts";

/** Whether a container is well: not known yet, or by its last checks. */
export type HealthStatus = "starting" | "healthy" | "unhealthy";

/** One check. */
export interface HealthAnswer {
  /** ISO 8601 in UTC. */
  readonly start: string;
  readonly end: string;
  /** The command's own: 0 is well. */
  readonly exitCode: number;
  /** The beginning of what it printed. */
  readonly output: string;
}

/** What is known of a container's health since it began. */
export interface Health {
  /** When its command began, ISO 8601 in UTC: another start is another life. */
  readonly began: string;
  readonly status: HealthStatus;
  /** Checks in a row that failed. */
  readonly failingStreak: number;
  /** The last ones, the newest at the end. */
  readonly log: readonly HealthAnswer[];
}

/** docker's; nanoseconds. */
export const HEALTH_DEFAULTS = { interval: 30e9, timeout: 30e9, startPeriod: 0, retries: 3 } as const;

/** How many checks are remembered. */
const REMEMBERED = 5;

/** The command that checks; undefined where there is none. */
export function healthCommand({ healthcheck, shell = ["/bin/sh", "-c"] }: ImageConfig): readonly string[] | undefined {
  const [kind, ...words] = healthcheck?.test ?? [];
  if (words.length === 0) return undefined;
  if (kind === "CMD") return words;
  return kind === "CMD-SHELL" ? [...shell, words.join(" ")] : undefined;
}

/** What is to hold of a container by its image and by what its user says; undefined where neither says anything. */
export function mergeHealthcheck(
  image: Healthcheck | undefined,
  given: Partial<Healthcheck> | undefined,
): Healthcheck | undefined {
  return given === undefined ? image : { test: [], ...image, ...given };
}

/** Nothing is known of a life that has just begun. */
export function beginHealth(began: string): Health {
  return { began, status: "starting", failingStreak: 0, log: [] };
}

/** What is known after another check. Failures while it starts up do not count until it has been well. */
export function takeAnswer(health: Health, answer: HealthAnswer, check: Partial<Healthcheck>): Health {
  const log = [...health.log, answer].slice(-REMEMBERED);
  if (answer.exitCode === 0) return { ...health, status: "healthy", failingStreak: 0, log };
  // docker takes 0 for "not said".
  const [period, retries] = [
    check.startPeriod ?? HEALTH_DEFAULTS.startPeriod,
    check.retries || HEALTH_DEFAULTS.retries,
  ];
  const startsUp = health.status === "starting" &&
    Date.parse(answer.start) - Date.parse(health.began) < period / 1e6;
  if (startsUp) return { ...health, log };
  const failingStreak = health.failingStreak + 1;
  return { ...health, status: failingStreak >= retries ? "unhealthy" : health.status, failingStreak, log };
}
