/**
 * Hooks that paddock itself runs, in the runtime's namespaces: `poststart` once the command has begun, `poststop` once
 * the container is gone (runtime-spec runtime.md, Lifecycle). The others are steps of the plan (`lib/plan/hooks.ts`).
 *
 * @module
 */
import { isThere } from "../kernel/syscall.ts";
import { spawnAndWait } from "../kernel/spawn.ts";
import type { Hook, Hooks } from "../spec/config.ts";
import { parseConfigText } from "../spec/parse.ts";
import { formatState, type StateFields } from "../spec/state.ts";
import type { ContainerRecord } from "../state/record.ts";
import { hookError } from "./hook_failure.ts";
import type { Voice } from "./voice.ts";

/** A container's hooks, and what they are told of it. */
export interface ContainerHooks {
  readonly hooks: Hooks;
  readonly id: string;
  readonly bundle: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** The hooks of a container that was made from a bundle, to be read before its directory goes; empty where it has none. */
export function readHooks(directory: string, id: string, record: ContainerRecord | undefined): ContainerHooks {
  const { bundle = "/", annotations = {} } = record ?? {};
  const path = `${directory}/config.json`;
  const known = record?.bundle !== undefined && isThere(path);
  return { hooks: known ? parseConfigText(Deno.readTextFileSync(path)).hooks ?? {} : {}, id, bundle, annotations };
}

/**
 * Runs the hooks that follow the start.
 *
 * @throws PaddockError at the first one that fails.
 */
export function runPoststart(container: ContainerHooks, pid: number): void {
  for (const [index, hook] of (container.hooks.poststart ?? []).entries()) {
    runHook(container, { name: "poststart", index, hook, status: "running", pid });
  }
}

/**
 * Runs the hooks of the runtime for a container that is brought to life without a plan (`restore`).
 *
 * @throws PaddockError at the first one that fails.
 */
export function runCreateRuntime(container: ContainerHooks, pid: number): void {
  for (const name of ["prestart", "createRuntime"] as const) {
    for (const [index, hook] of (container.hooks[name] ?? []).entries()) {
      runHook(container, { name, index, hook, status: "creating", pid });
    }
  }
}

/** Runs the hooks that follow the end. One that fails is told, and the others follow. */
export function runPoststop(container: ContainerHooks, voice: Voice): void {
  for (const [index, hook] of (container.hooks.poststop ?? []).entries()) {
    try {
      runHook(container, { name: "poststop", index, hook, status: "stopped" });
    } catch (error) {
      voice.warn((error as Error).message);
    }
  }
}

interface HookRun {
  readonly name: keyof Hooks;
  readonly index: number;
  readonly hook: Hook;
  readonly status: StateFields["status"];
  readonly pid?: number;
}

function runHook({ id, bundle, annotations }: ContainerHooks, { name, index, hook, status, pid }: HookRun): void {
  const { path, args = [path], env = [], timeout } = hook;
  const outcome = spawnAndWait({
    path,
    args,
    env,
    cwd: isThere(bundle) ? bundle : "/",
    input: formatState({ id, status, bundle, annotations }, pid),
    ...(timeout === undefined ? {} : { timeout }),
  });
  if (outcome.errno !== 0 || outcome.late || outcome.status !== 0) throw hookError({ name, index, path, ...outcome });
}
