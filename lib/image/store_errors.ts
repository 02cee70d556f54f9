/**
 * What is wrong with a store, where the system only said what is wrong.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { KernelError } from "../kernel/syscall.ts";

/** An error that says which store it is about, and what to do. Errors that say so already pass. */
export function explainStore(dataRoot: string, error: unknown): unknown {
  const hint = `make "${dataRoot}" writable, or keep the store elsewhere with --data-root`;
  if (error instanceof KernelError) {
    return new PaddockError(`store "${dataRoot}": ${error.message}`, { hint, cause: error });
  }
  if (error instanceof PaddockError || !(error instanceof Error) || !("code" in error)) return error;
  const why = error.message.replace(/ \(os error \d+\).*$/, "").replace(/^[A-Z](?=[a-z])/, (c) => c.toLowerCase());
  return new PaddockError(`store "${dataRoot}": ${String(error.code)}: ${why}`, { hint, cause: error });
}

/** Does something in a store. @throws PaddockError that says what is wrong with it */
export function guardStore<T>(dataRoot: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    throw explainStore(dataRoot, error);
  }
}
