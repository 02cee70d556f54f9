/**
 * `paddock finish --session`: what the launcher of a further process executes when there is something to tell.
 *
 * @module
 */
import { EXIT, PaddockError } from "../base/errors.ts";
import { decodeData } from "../program/decode.ts";
import { readRecord } from "../state/container.ts";
import { COMMAND_FILE } from "../state/exec_session.ts";
import type { Roots } from "../state/root.ts";
import { explainDeath } from "./explain_death.ts";
import { explainFault } from "./explain_fault.ts";
import type { Voice } from "./voice.ts";

/** Engines tell by these words of runc's what is to blame, the image or the runtime (podman: exit codes 126 and 127). */
export function inWordsOfEngines(error: PaddockError): PaddockError {
  const words = WORDS[error.exitCode];
  if (words === undefined) return error;
  return new PaddockError(`${error.message}: ${words}`, {
    exitCode: error.exitCode,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

const WORDS: Readonly<Record<number, string>> = {
  [EXIT.notFound]: "executable file not found in $PATH",
  [EXIT.cannotExecute]: "permission denied",
};

/**
 * Explains the end of a further process, and removes its directory.
 *
 * @param session the directory, `/run/paddock/ID/exec/PID`.
 * @returns the exit code that the launcher would have given.
 * @throws PaddockError where the process could not be started, saying why.
 */
export function finishExec(id: string, session: string, { root }: Roots, voice: Voice): number {
  const program = decodeData(Deno.readFileSync(`${session}/outcome`));
  const command = JSON.parse(Deno.readTextFileSync(`${session}/${COMMAND_FILE}`)) as string[];
  Deno.removeSync(session, { recursive: true });
  const record = readRecord(`${root}/${id}`);
  if (program.fault !== undefined) {
    const error = explainFault(program, program.fault, record === undefined ? undefined : { ...record, command });
    throw inWordsOfEngines(error);
  }
  const words = explainDeath(program.status, { oomKills: 0, peakMemory: undefined, limit: undefined });
  if (words !== undefined) voice.note(words);
  const signal = program.status & 0x7f;
  return signal === 0 ? (program.status >> 8) & 0xff : 128 + signal;
}
