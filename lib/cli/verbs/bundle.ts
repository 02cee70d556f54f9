/**
 * The verbs of an OCI runtime on a container that was created: start, state, kill, delete, list, pause, resume.
 *
 * @module
 */
import { formatTable } from "../../base/text.ts";
import { UsageError } from "../../base/errors.ts";
import { findSignal } from "../../base/signals.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { isOn, lastValue } from "../words.ts";

const load = () => import("../../runtime/bundle_verbs.ts");
const loadState = () => import("../../runtime/read_state.ts");

/** `paddock state ID`: its state as JSON. */
export async function state(words: Words, host: Host): Promise<number> {
  host.print(`${JSON.stringify((await loadState()).readState(idOf(words), readRoots(words, host)), null, 2)}\n`);
  return 0;
}

/** `paddock kill ID [SIGNAL]`. */
export async function kill(words: Words, host: Host): Promise<number> {
  const text = words.positionals[1] ?? "TERM";
  // 0 is no signal: it looks whether there is anything to send one to.
  const signal = text === "0" ? 0 : findSignal(text);
  if (signal === undefined) {
    throw new UsageError(`unknown signal '${text}'`, { hint: "a name such as TERM, or a number" });
  }
  (await load()).killContainer(idOf(words), signal, isOn(words, "all"), readRoots(words, host));
  return 0;
}

/** `paddock delete ID`. */
export async function remove(words: Words, host: Host): Promise<number> {
  const { deleteBundle } = await import("../../runtime/delete_bundle.ts");
  await deleteBundle(idOf(words), isOn(words, "force"), readRoots(words, host), speakOn(host, words));
  return 0;
}

/** `paddock list`. */
export async function list(words: Words, host: Host): Promise<number> {
  const states = (await loadState()).listStates(readRoots(words, host));
  if (isOn(words, "quiet")) host.print(states.map(({ id }) => `${id}\n`).join(""));
  else if (lastValue(words, "format") === "json") host.print(`${JSON.stringify(states)}\n`);
  else {
    const rows = states.map(({ id, pid, status, bundle, created, owner }) => [
      id,
      String(pid),
      status,
      bundle,
      created,
      owner,
    ]);
    host.print(`${formatTable(["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], rows)}\n`);
  }
  return 0;
}

/** `paddock pause ID`. */
export async function pause(words: Words, host: Host): Promise<number> {
  (await load()).pauseContainer(idOf(words), true, readRoots(words, host));
  return 0;
}

/** `paddock resume ID`. */
export async function resume(words: Words, host: Host): Promise<number> {
  (await load()).pauseContainer(idOf(words), false, readRoots(words, host));
  return 0;
}

function idOf(words: Words): string {
  return words.positionals[0] ?? "";
}
