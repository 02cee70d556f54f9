/**
 * Containers from OCI bundles, for tests of the verbs that make and change them.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { exampleConfigFile } from "../../lib/spec/example_config.ts";
import { type Box, waitFor } from "./box.ts";
import { call, type CallOptions, type Outcome, PADDOCK_COMMAND } from "./paddock.ts";

/** What of the example configuration is another. */
export interface BundleChanges {
  readonly args?: readonly string[];
  readonly process?: Record<string, unknown>;
  readonly linux?: Record<string, unknown>;
  readonly more?: Record<string, unknown>;
}

/** Writes a bundle of the box's root filesystem, and gives its directory. */
export function makeBundle(box: Box, changes: BundleChanges = {}, name = "bundle"): string {
  const { args = ["sleep", "4400"], process, linux, more } = changes;
  const bundle = box.directory(name);
  const base = exampleConfigFile();
  const none = { bounding: [], effective: [], permitted: [], inheritable: [], ambient: [] };
  const config = {
    ...base,
    root: { path: box.rootfs },
    process: { ...base.process, terminal: false, args, rlimits: [], capabilities: none, ...process },
    linux: { ...base.linux, ...linux },
    ...more,
  };
  Deno.writeTextFileSync(join(bundle, "config.json"), JSON.stringify(config));
  return bundle;
}

/** What a verb prints; it must end well. */
export async function ok(box: Box, ...words: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await box.paddock.run(words);
  assertEquals(code, 0, `${words.join(" ")}: ${stderr}`);
  return stdout;
}

/** The state of a container. */
export async function stateOf(box: Box, id: string): Promise<Record<string, unknown>> {
  return JSON.parse(await ok(box, "state", id)) as Record<string, unknown>;
}

/** Calls a verb whose command keeps the standard streams: they are a file, whose path this gives. */
export async function quietly(
  box: Box,
  id: string,
  words: readonly string[],
  options: CallOptions = {},
): Promise<string> {
  const file = box.path(`out-${id}`);
  const { code } = await call(["sh", "-c", 'exec "$@" >"$0" 2>&1', file, ...box.paddock.command(words)], options);
  assertEquals(code, 0, Deno.readTextFileSync(file));
  return file;
}

/** A container that runs, by `run --detach`; gives its first process as the host counts. */
export async function runDetached(box: Box, id: string, changes: BundleChanges = {}): Promise<number> {
  await quietly(box, id, ["run", "--detach", "--bundle", makeBundle(box, changes, `bundle-${id}`), id]);
  return (await stateOf(box, id))["pid"] as number;
}

/** Waits until a container has that status. */
export async function waitForStatus(box: Box, id: string, wanted: string): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if ((await stateOf(box, id))["status"] === wanted) return;
  }
  throw new Error(`${id} does not become ${wanted}`);
}

/** Calls paddock by another name, as a link to it would, with the box's roots. */
export async function callAs(
  box: Box,
  name: string,
  words: readonly string[],
  options?: CallOptions,
): Promise<Outcome> {
  const roots = ["--root", box.paddock.root, "--data-root", box.paddock.dataRoot];
  const command = [...PADDOCK_COMMAND, ...roots, ...words];
  return await call(["bash", "-c", 'exec -a "$0" "$@"', name, ...command], options);
}

/** Waits until no process of that id is left. */
export async function waitForEnd(pid: number): Promise<void> {
  await waitFor(`the end of ${pid}`, () => {
    try {
      return /^State:\s+[ZX]/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
    } catch {
      return true;
    }
  });
}
