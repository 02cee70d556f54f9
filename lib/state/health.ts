/**
 * What is known of a container's health: a file in its state directory.
 *
 * @module
 */
import type { Health } from "../spec/health.ts";
import { isThere } from "./data_directory.ts";

/** The file's name. */
export const HEALTH_FILE = "health.json";

/** What was written last; undefined where nothing was, or that is damaged. */
export function readHealth(directory: string): Health | undefined {
  const path = `${directory}/${HEALTH_FILE}`;
  if (!isThere(path)) return undefined;
  try {
    return JSON.parse(Deno.readTextFileSync(path)) as Health;
  } catch {
    return undefined;
  }
}
