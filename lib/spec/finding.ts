/**
 * What validation finds.
 *
 * @module
 */
import { parseNumberList } from "../base/sizes.ts";
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

/** A finding for each name that is in none of the names there are, with what such a name would be. */
export function findUnknown(
  path: string,
  names: readonly string[] | undefined,
  known: readonly string[],
  what: string,
): Finding[] {
  return (names ?? []).flatMap((name, index) =>
    known.includes(name) ? [] : [finding(`${path}[${index}]`, `'${name}' is no ${what}`)]
  );
}

/** A finding where a text is there and is no list of numbers such as `0-3,7`. */
export function findNoList(path: string, text: string | undefined): Finding[] {
  if (text === undefined || text === "") return [];
  try {
    parseNumberList(text);
    return [];
  } catch (error) {
    return [finding(path, (error as Error).message)];
  }
}
