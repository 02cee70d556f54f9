/**
 * `paddock finish`: what a launcher executes when there is something to tell or to clean.
 *
 * It holds the container's lock, in the descriptor that it inherited, until everything is gone.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { type Death, readDeath } from "../cgroup/read.ts";
import { makeReader, readUse, type Use } from "../cgroup/use.ts";
import { readControl } from "../kernel/cgroup.ts";
import { isThere } from "../kernel/syscall.ts";
import { LOCK_FD } from "../plan/setting.ts";
import { decodeData, type Program } from "../program/decode.ts";
import { inheritContainer, type OwnedContainer, readRecord } from "../state/container.ts";
import { recordEvent } from "../state/journal.ts";
import { forgetRestarts, isStopping } from "../state/restarts.ts";
import type { ContainerExit, ContainerRecord } from "../state/record.ts";
import type { Roots } from "../state/root.ts";
import { nameCause } from "./cause.ts";
import { readStart } from "./container_view.ts";
import { eraseContainer, leaveNetworkOf, removeCgroupsOf } from "./erase_container.ts";
import { unmountBelow } from "./remove_data_directory.ts";
import { explainFault } from "./explain_fault.ts";
import { inWordsOfEngines } from "./finish_exec.ts";
import { explainDeath } from "./explain_death.ts";
import { formatTrace } from "./trace.ts";
import type { Voice } from "./voice.ts";

/** What `finish` is told beside the id. */
export interface FinishOptions {
  /** Print every step with its result. */
  readonly trace: boolean;
  /** It was to be created only: that it has ended is an error by itself. */
  readonly created: boolean;
  /** It was run from a bundle, and is removed whatever its record says. */
  readonly remove: boolean;
}

/**
 * Explains the end of a container, removes what is left of it or, for one that is kept, records how it ended.
 *
 * @returns the exit code that the launcher would have given.
 * @throws PaddockError where the container is not this launcher's.
 */
export async function finishContainer(
  id: string,
  roots: Roots,
  { trace, created, remove }: FinishOptions,
  voice: Voice,
): Promise<number> {
  const owned = inheritContainer(roots.root, id, LOCK_FD);
  const record = readRecord(owned.directory);
  const program = readOutcome(owned);
  const death = readDeath(record?.cgroupPaths ?? [], readControl);
  if (trace) { for (const line of formatTrace(program)) voice.note(line); }
  const use = readUse(makeReader(readControl, isThere)(record?.cgroupPaths ?? []));
  const end = describeEnd(program, death, use);
  const words = program.fault === undefined ? explainDeath(program.status, death) : undefined;
  const error = program.fault === undefined
    ? created
      ? new PaddockError(`the container ended before it was set up${words === undefined ? "" : `: ${words}`}`)
      : undefined
    : inWordsOf(record?.bundle !== undefined, explainFault(program, program.fault, record));
  if (words !== undefined && error === undefined) voice.note(words);
  tellOfEnd(roots, record, withError(end, error));
  // One that was started again has something to lose, and stays however this start came out.
  const kept = record?.keep && (error === undefined || (record.restarts ?? 0) > 0) && !remove;
  const runAfter = kept ? undefined : await loadPoststop(owned, record);
  const problems = kept
    ? await keep(owned, roots, record, withError(end, error))
    : await eraseContainer(owned, roots, record);
  for (const problem of problems) voice.note(`left behind: ${problem}; \`paddock gc\` tries again`);
  runAfter?.(voice);
  if (error !== undefined) throw error;
  return end.code;
}

function tellOfEnd({ root }: Roots, record: ContainerRecord | undefined, exit: ContainerExit): void {
  if (exit.oom) recordEvent(root, "oom", record);
  const cause = nameCause(exit);
  recordEvent(root, "die", record, {
    exitCode: String(exit.code),
    ...(cause === undefined ? {} : { cause }),
    ...(exit.error === undefined ? {} : { error: exit.error }),
  });
}

/** What follows the end of a container from a bundle: read now, for its directory goes. */
async function loadPoststop(
  { directory, id }: OwnedContainer,
  record: ContainerRecord | undefined,
): Promise<((voice: Voice) => void) | undefined> {
  if (record?.bundle === undefined) return undefined;
  const { readHooks, runPoststop } = await import("./hooks.ts");
  const hooks = readHooks(directory, id, record);
  return (voice) => runPoststop(hooks, voice);
}

function inWordsOf(bundle: boolean, error: PaddockError): PaddockError {
  return bundle ? inWordsOfEngines(error) : error;
}

/** The launcher's data with the result of each step. */
function readOutcome(owned: OwnedContainer): Program {
  const path = `${owned.directory}/outcome`;
  try {
    return decodeData(Deno.readFileSync(path));
  } catch (cause) {
    if (cause instanceof PaddockError) throw cause;
    throw new PaddockError(`cannot read ${path}, in which the launcher says what happened`, { cause });
  }
}

/** The exit code by the rules of the launcher (`man 2 wait4`), and what the cgroup knows. */
function describeEnd(
  program: Program,
  { oomKills, peakMemory }: Death,
  { cpu, ioRead, ioWritten }: Use,
): ContainerExit {
  const signal = program.status & 0x7f;
  return {
    code: signal === 0 ? (program.status >> 8) & 0xff : 128 + signal,
    ...(signal === 0 ? {} : { signal }),
    oom: oomKills > 0,
    ...(peakMemory === undefined ? {} : { peakMemory }),
    ...(cpu === undefined ? {} : { cpuTime: cpu }),
    ...(ioRead === undefined ? {} : { ioRead }),
    ...(ioWritten === undefined ? {} : { ioWritten }),
    at: new Date().toISOString(),
  };
}

/** Where its command never began, that says why. */
function withError(end: ContainerExit, error: PaddockError | undefined): ContainerExit {
  return error === undefined ? end : { ...end, code: error.exitCode, error: error.message };
}

/** A named container keeps its record and what it wrote; its cgroups are of no more use. */
async function keep(
  owned: OwnedContainer,
  roots: Roots,
  record: ContainerRecord,
  exit: ContainerExit,
): Promise<string[]> {
  const { launcherPid: _, pid: __, network: ___, unit: ____, ...rest } = record;
  const problems = [
    ...await removeCgroupsOf(owned.id, record),
    ...await leaveNetworkOf(owned.directory, roots, record),
    ...(record.dataDir === undefined ? [] : unmountBelow(record.dataDir)),
  ];
  const startedAt = exit.error === undefined ? readStart(owned.directory) : undefined;
  const stopped = isStopping(owned.directory) ? { stopped: true } : {};
  owned.writeRecord({ ...rest, ...stopped, exit: { ...exit, ...(startedAt === undefined ? {} : { startedAt }) } });
  forgetRestarts(owned.directory);
  owned.lock.release();
  return problems;
}
