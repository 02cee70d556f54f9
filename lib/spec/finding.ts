/**
 * What validation finds.
 *
 * @module
 */
import type { Config } from "./config.ts";

/** A value that cannot be: where it stands, and what is wrong with it. */
export interface Finding {
  /** As in `linux.sysctl["net.ipv4.ip_forward"]` or `mounts[3].destination`. */
  readonly path: string;
  readonly problem: string;
}

/** One rule; gives what breaks it. */
export type Check = (config: Config) => readonly Finding[];

/** A finding, written short. */
export function finding(path: string, problem: string): Finding {
  return { path, problem };
}

/** A finding where a number is there and is no whole one within bounds. */
export function findOutside(path: string, value: number | undefined, least: number, most: number): Finding[] {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return [];
  return [finding(path, `${value} is not from ${least} to ${most}`)];
}
