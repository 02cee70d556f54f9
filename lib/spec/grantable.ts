/**
 * Capabilities that can be granted: what a `config.json` asks for beyond them is told and left out, for a runtime SHOULD
 * NOT fail of it (runtime-spec config.md, Linux Process).
 *
 * @module
 */
import { CAPABILITIES } from "../base/capabilities.ts";
import type { Capabilities, Process } from "./config.ts";
import { type Finding, finding } from "./finding.ts";

/** A process with what can be granted, and what it does without. */
export interface Granted {
  readonly process: Process;
  readonly left: readonly Finding[];
}

/**
 * Leaves out capabilities that nobody knows, those that are not to be had here, and ambient ones that the kernel would
 * drop (`man 7 capabilities`: they must be permitted and inheritable).
 *
 * @param available names without `CAP_`, in lower case
 */
export function grantCapabilities(process: Process, available: readonly string[]): Granted {
  const { capabilities } = process;
  if (capabilities === undefined) return { process, left: [] };
  const left: Finding[] = [];
  const had = mapSets(capabilities, (set, name) => findRefusal(name, available, set, left));
  const { ambient, permitted = [], inheritable = [] } = had;
  if (ambient === undefined) return { process: { ...process, capabilities: had }, left };
  const kept = ambient.filter((name) => permitted.includes(name) && inheritable.includes(name));
  for (const name of ambient.filter((name) => !kept.includes(name))) {
    left.push(finding("process.capabilities.ambient", `${name} is not permitted and inheritable too`));
  }
  return { process: { ...process, capabilities: { ...had, ambient: kept } }, left };
}

function mapSets(
  capabilities: Capabilities,
  keep: (set: string, name: string) => boolean,
): Capabilities {
  return Object.fromEntries(
    Object.entries(capabilities).map(([set, names]: [string, readonly string[]]) => [
      set,
      names.filter((name) => keep(set, name)),
    ]),
  );
}

/** True where it can be granted; else told in `left`. */
function findRefusal(name: string, available: readonly string[], set: string, left: Finding[]): boolean {
  const short = name.replace(/^CAP_/, "").toLowerCase();
  const known = CAPABILITIES.some((capability) => name === `CAP_${capability.toUpperCase()}`);
  if (known && available.includes(short)) return true;
  left.push(
    finding(`process.capabilities.${set}`, known ? `${name} is not to be had here` : `'${name}' is no capability`),
  );
  return false;
}
