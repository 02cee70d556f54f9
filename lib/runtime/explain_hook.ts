/**
 * The error for a hook that the launcher or the container's process ran, from the record of what happened
 * (`lib/plan/hooks.ts`).
 *
 * @module
 */
import type { PaddockError } from "../base/errors.ts";
import { HOOK_WORDS } from "../plan/hooks.ts";
import type { DecodedStep, Program } from "../program/decode.ts";
import { DATA_ADDRESS } from "../program/interpreter.ts";
import { hookError } from "./hook_failure.ts";

/** The error where the step that failed was a hook's end; undefined where it was anything else. */
export function explainHook(program: Program, fault: DecodedStep): PaddockError | undefined {
  const found = /^run (\w+) hook #(\d+) /.exec(fault.what);
  // Only these lead there; other steps of the act are system calls that failed.
  if (found === null || !fault.call.startsWith("@")) return undefined;
  const own = program.steps.filter(({ what }) => what === fault.what);
  const resultOf = (name: string) => own.find(({ call }) => call === name)?.result ?? 0;
  const exec = own.find(({ call }) => call === "execve");
  return hookError({
    name: found[1]!,
    index: Number(found[2]),
    path: exec?.args[0]?.text ?? "",
    errno: Math.max(0, -(exec?.result ?? 0)),
    status: fault.call === "@and" ? fault.result : 0,
    late: resultOf("@or") !== 0,
    interrupted: resultOf("@shl") !== 0,
    ...readWords(program),
  });
}

/** What it said: the beginning, in memory that the record has. Each group reads its output first, and then its errors. */
function readWords(program: Program): { readonly stdout: string; readonly stderr: string } {
  const reads = program.steps.filter(({ what, call }) => what === HOOK_WORDS && call === "pread64");
  const said = (parity: number) => {
    const found = reads.find(({ result }, index) => index % 2 === parity && result > 0);
    const at = Number(found?.args[1]?.value ?? 0n) - DATA_ADDRESS;
    return found === undefined ? "" : new TextDecoder().decode(program.data.subarray(at, at + found.result));
  };
  return { stdout: said(0), stderr: said(1) };
}
