/**
 * `paddock healthcheck run`.
 *
 * @module
 */
import { UsageError } from "../../base/errors.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { isOn } from "../words.ts";

/** Checks one container; the exit code is 0 where the check succeeded, 1 where it failed. */
export async function run(words: Words, host: Host): Promise<number> {
  const [action = "", name] = words.positionals;
  if (action !== "run" || name === undefined) {
    throw new UsageError("a health check can be run", { hint: "paddock healthcheck run CONTAINER" });
  }
  const { checkHealth } = await import("../../runtime/healthcheck.ts");
  const { answer, health } = await checkHealth(name, readRoots(words, host));
  if (isOn(words, "json")) host.print(`${JSON.stringify(health, null, 2)}\n`);
  else {
    host.print(`${health.status}\n`);
    if (answer.exitCode !== 0 && answer.output !== "") host.warn(answer.output.replace(/\n?$/, "\n"));
  }
  return answer.exitCode === 0 ? 0 : 1;
}
