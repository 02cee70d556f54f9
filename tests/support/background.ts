/**
 * Containers in the background for tests: begun, looked at, and ended whatever came of the test.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { Box } from "./box.ts";
import { type Ability, requires } from "./requires.ts";

/** Registers a test with a box of its own; nothing of one that failed is in the way of the next. */
export function testInBackground(
  name: string,
  fn: (box: Box) => Promise<void>,
  more: readonly Ability[] = [],
): void {
  Deno.test({
    name,
    ...requires("root", "tool:busybox", ...more),
    fn: async () => {
      using box = await Box.make();
      try {
        await fn(box);
      } finally {
        await endAll(box);
      }
    },
  });
}

/** Names and cgroups are the host's. */
async function endAll(box: Box): Promise<void> {
  const { stdout } = await box.paddock.run(["ps", "-aq"]);
  const ids = stdout.split("\n").filter((id) => id !== "");
  if (ids.length > 0) await box.paddock.run(["rm", "-f", ...ids]);
}

/** Runs a script in the background; gives what was printed, which is its id. */
export async function begin(box: Box, flags: readonly string[], script: string): Promise<string> {
  const { code, stdout, stderr } = await box.sh(script, ["-d", ...flags]);
  assertEquals({ code, stderr }, { code: 0, stderr: "" });
  return stdout.trim();
}

/** What a verb prints, which must succeed and say nothing on standard error. */
export async function out(box: Box, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await box.paddock.run(words);
  assertEquals({ code, stderr }, { code: 0, stderr: "" }, words.join(" "));
  return stdout;
}

/** What `ps -a --json` says of one. */
export async function seen(box: Box, id: string): Promise<Record<string, unknown>> {
  const all = JSON.parse(await out(box, "ps", "-a", "--json")) as Record<string, unknown>[];
  const found = all.find((one) => one["id"] === id);
  assert(found !== undefined, `${id} is not listed`);
  return found;
}

/** The process that watches over one. */
export function monitorOf(box: Box, id: string): number {
  return parseInt(Deno.readTextFileSync(`${box.paddock.root}/${id}/monitor`), 10);
}

/** The file with what one has printed. */
export function logOf(box: Box, id: string): string {
  return `${box.paddock.dataRoot}/containers/${id}/log`;
}
