/**
 * `paddock update`: other limits for a container that is there already.
 *
 * ```
 * flags or JSON ─ planUpdate ─▶ what is written where ─ applyUpdate ─▶ config.json of its state
 *                                                       (all of it, or nothing)
 * ```
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { planUpdate } from "../cgroup/update.ts";
import { probeHost } from "../host/probe.ts";
import { readControl } from "../kernel/cgroup.ts";
import type { Config, IntelRdt, Resources } from "../spec/config.ts";
import { writeConfigText } from "../spec/config_text.ts";
import { parseConfigText, parseResources } from "../spec/parse.ts";
import { replaceFile } from "../state/container.ts";
import { recordEvent } from "../state/journal.ts";
import { lockDirectory } from "../state/lock.ts";
import type { Roots } from "../state/root.ts";
import { type LiveContainer, openLive } from "./container_processes.ts";
import { applyUpdate } from "./apply_update.ts";
import { requireRoot } from "./require_root.ts";
import { updateIntelRdt } from "./update_rdt.ts";
import type { Voice } from "./voice.ts";

/** What is asked for. */
export interface UpdateRequest {
  /** Limits by flags; with `json` there are none. */
  readonly resources: Resources;
  /** The text of `--resources`. */
  readonly json?: string;
  readonly intelRdt?: Pick<IntelRdt, "l3CacheSchema" | "memBwSchema">;
}

/**
 * Changes a container's limits; where one cannot be changed, all are as they were.
 *
 * @throws PaddockError saying which, and why.
 */
export async function updateContainer(
  id: string,
  request: UpdateRequest,
  roots: Roots,
  voice: Voice,
): Promise<void> {
  const facts = probeHost();
  requireRoot(facts);
  const seen = openLive(id, roots);
  if (!["created", "running", "paused"].includes(seen.status)) throw new PaddockError("container not running");
  using _lock = lockDirectory(seen.directory);
  const config = parseConfigText(Deno.readTextFileSync(`${seen.directory}/config.json`));
  const changes = readChanges(request);
  noteIgnored(changes, config, voice);
  const { resources, joins } = planUpdate(config.linux.resources ?? {}, changes, facts);
  checkUsage(resources, changes, seen);
  using undo = new DisposableStack();
  const { unit, cgroupPaths } = seen.record;
  applyUpdate(joins, cgroupPaths, undo);
  const intelRdt = request.intelRdt === undefined
    ? config.linux.intelRdt
    : updateIntelRdt(config.linux.intelRdt ?? {}, request.intelRdt, { facts, id, undo });
  if (unit !== undefined) {
    const { updateScope } = await import("./scope.ts");
    await updateScope(unit, resources, facts);
    // It writes what it holds into the files, and holds whole percents of a processor alone.
    applyUpdate(joins, cgroupPaths, undo);
  }
  const linux = { ...config.linux, resources, ...(intelRdt === undefined ? {} : { intelRdt }) };
  replaceFile(seen.directory, "config.json", writeConfigText({ ...config, linux }));
  undo.move();
  recordEvent(roots.root, "update", seen.record);
}

function readChanges({ json, resources }: UpdateRequest): Resources {
  if (json === undefined) return resources;
  try {
    return parseResources(JSON.parse(json));
  } catch (cause) {
    if (cause instanceof PaddockError) throw cause;
    throw new PaddockError(`--resources: no JSON: ${(cause as Error).message}`, { cause });
  }
}

/** What is taken and changes nothing is said, unless it is as it was anyway. */
function noteIgnored({ devices, memory }: Resources, config: Config, voice: Voice): void {
  if (devices !== undefined && JSON.stringify(devices) !== JSON.stringify(config.linux.resources?.devices ?? [])) {
    voice.note("device rules stay as they were: update changes none");
  }
  if (memory?.kernel || memory?.kernelTCP) {
    voice.note("limits of kernel memory are ignored: the kernel counts it with all other memory");
  }
}

/**
 * `checkBeforeUpdate` (config-linux.md, Memory): a limit below what is in use is refused, where the kernel of v2 would
 * kill for it. That of v1 refuses by itself.
 */
function checkUsage(
  { memory: { limit = 0, swap = 0, checkBeforeUpdate } = {} }: Resources,
  { memory: given = {} }: Resources,
  { record }: LiveContainer,
): void {
  if (!checkBeforeUpdate || (given.limit === undefined && given.swap === undefined)) return;
  const texts = record.cgroupPaths.map((path) => readControl(`${path}/memory.current`));
  const usage = Number(texts.find((text) => text !== undefined) ?? NaN);
  if (swap > 0 && swap <= usage) throw new PaddockError(`rejecting memory+swap limit ${swap} <= usage ${usage}`);
  if (limit > 0 && limit <= usage) throw new PaddockError(`rejecting memory limit ${limit} <= usage ${usage}`);
}
