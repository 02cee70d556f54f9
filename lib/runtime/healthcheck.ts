/**
 * `paddock healthcheck run`: asks a container whether it is well, once, and keeps the answer.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { selfCommand } from "../kernel/self.ts";
import {
  beginHealth,
  type Health,
  HEALTH_DEFAULTS,
  type HealthAnswer,
  healthCommand,
  takeAnswer,
} from "../spec/health.ts";
import type { Healthcheck } from "../spec/image_config.ts";
import { openContainer, replaceFile, type SeenContainer } from "../state/container.ts";
import { HEALTH_FILE } from "../state/health.ts";
import { recordEvent } from "../state/journal.ts";
import { lockDirectory } from "../state/lock.ts";
import type { Roots } from "../state/root.ts";
import { healthOf, readStart } from "./container_view.ts";

/**
 * Runs the check of a container that runs.
 *
 * @returns the answer, and what follows from it.
 * @throws PaddockError where it does not run, or has no check.
 */
export async function checkHealth(
  idOrName: string,
  roots: Roots,
): Promise<{ readonly answer: HealthAnswer; readonly health: Health }> {
  const seen = openContainer(roots, idOrName);
  const { id, record, status, directory } = seen;
  const config = record?.imageConfig ?? {};
  const command = healthCommand(config);
  if (command === undefined) {
    throw new PaddockError(`container '${id}' has no health check`, { hint: "run it with --health-cmd" });
  }
  const began = readStart(directory);
  if (status !== "running" || began === undefined) {
    throw new PaddockError(`cannot check container '${id}': it is ${status}`);
  }
  const check: Partial<Healthcheck> = config.healthcheck ?? {};
  const timeout = (check.timeout || HEALTH_DEFAULTS.timeout) / 1e6;
  const answer = await ask(seen, command, timeout, roots);
  // Two checks at once add one after the other.
  using _ = lockDirectory(directory);
  const before = healthOf(seen) ?? beginHealth(began);
  const health = takeAnswer(before, answer, check);
  // It may have ended, or begun anew, while it was asked.
  if (readStart(directory) !== began) return { answer, health };
  replaceFile(directory, HEALTH_FILE, `${JSON.stringify(health)}\n`);
  if (health.status !== before.status) {
    recordEvent(roots.root, "health_status", record, { health_status: health.status });
  }
  return { answer, health };
}

/** Bytes of what a check prints that are kept, as docker does. */
const OUTPUT_SIZE = 4096;

/** The code of a check that took too long, as of one that could not be run. */
const TOO_LONG = -1;

async function ask(
  { id }: SeenContainer,
  command: readonly string[],
  timeout: number,
  { root, dataRoot }: Roots,
): Promise<HealthAnswer> {
  const [file, ...own] = selfCommand();
  const args = [...own, "exec", "--root", root, "--data-root", dataRoot, "--interactive=false", id, ...command];
  const start = new Date().toISOString();
  const child = new Deno.Command(file!, { args, stdin: "null", stdout: "piped", stderr: "piped" }).spawn();
  let late = false;
  const timer = setTimeout(() => {
    late = true;
    // Its launcher takes the command along.
    child.kill("SIGKILL");
  }, timeout);
  const { code, stdout, stderr } = await child.output();
  clearTimeout(timer);
  const printed = new TextDecoder().decode(new Uint8Array([...stdout, ...stderr]).subarray(0, OUTPUT_SIZE));
  const output = late ? `it took longer than ${timeout / 1000} s\n${printed}` : printed;
  return { start, end: new Date().toISOString(), exitCode: late ? TOO_LONG : code, output };
}
