/**
 * Where verbs write that make a file: `-o FILE`, or standard output.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";

/**
 * Writes to a file, which appears when it is complete, or to standard output.
 *
 * @param path undefined: standard output.
 * @param body is given what takes the bytes.
 * @throws PaddockError where the file cannot be written; whatever `body` throws.
 */
export async function writeOutput(
  path: string | undefined,
  body: (write: (bytes: Uint8Array) => void) => void | Promise<void>,
): Promise<void> {
  if (path === undefined) return await body((bytes) => writeAll(Deno.stdout, bytes));
  const beside = `${path}.${Deno.pid}.new`;
  try {
    using file = await Deno.open(beside, { write: true, createNew: true, mode: 0o600 });
    await body((bytes) => writeAll(file, bytes));
    await file.syncData();
    await Deno.rename(beside, path);
  } catch (cause) {
    await Deno.remove(beside).catch(() => undefined);
    if (cause instanceof PaddockError) throw cause;
    throw new PaddockError(`cannot write ${path}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function writeAll(target: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += target.writeSync(bytes.subarray(done));
}
