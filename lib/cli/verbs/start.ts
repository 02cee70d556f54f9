/**
 * `paddock start` and `paddock restart`.
 *
 * @module
 */
import { PaddockError, UsageError } from "../../base/errors.ts";
import { readRoots } from "../values/roots.ts";
import type { Host, Words } from "../types.ts";
import { speakOn } from "../voice.ts";
import { isOn } from "../words.ts";

/** Starts containers that have ended, or lets one go that was created from a bundle. */
export async function run(words: Words, host: Host): Promise<number> {
  if (isOn(words, "attach") || isOn(words, "interactive")) return await startAndAttach(words, host);
  const { isOfBundle, startBundle } = await import("../../runtime/start.ts");
  const roots = readRoots(words, host);
  const [name, ...more] = words.positionals;
  if (isOn(words, "all-restartable")) {
    if (name !== undefined) throw new UsageError("--all-restartable and CONTAINER contradict each other");
    const { listRestartable } = await import("../../runtime/restartable.ts");
    const { startEach } = await import("../../runtime/start_again.ts");
    return await startEach(listRestartable(roots), roots);
  }
  if (name === undefined) throw new UsageError("start needs CONTAINER", { hint: "paddock ps -a lists them" });
  if (isOfBundle(name, roots)) {
    await startBundle(name, roots, speakOn(host, words));
    return 0;
  }
  const { startAgain, startEach } = await import("../../runtime/start_again.ts");
  if (more.length > 0) return await startEach(words.positionals, roots);
  // Where it runs already nothing has to be done; else this process becomes its launcher, which prints the name.
  await startAgain(name, roots, speakOn(host, words));
  host.print(`${name}\n`);
  return 0;
}

async function startAndAttach(words: Words, host: Host): Promise<number> {
  const [name, ...more] = words.positionals;
  if (name === undefined || more.length > 0 || isOn(words, "all-restartable")) {
    throw new UsageError("one can attach to one container only", { hint: "paddock start --attach CONTAINER" });
  }
  const { startAttached } = await import("../../runtime/attach.ts");
  const { callerStreams, readAttachOptions } = await import("./attach.ts");
  const options = readAttachOptions(words, isOn(words, "interactive"));
  return await startAttached(name, options, readRoots(words, host), callerStreams());
}

/** Ends containers and starts them again. */
export async function restart(words: Words, host: Host): Promise<number> {
  const { stopContainer } = await import("../../runtime/stop.ts");
  const { readPatience } = await import("./stop.ts");
  const options = readPatience(words);
  const roots = readRoots(words, host);
  const { eachContainer } = await import("../each_container.ts");
  return await eachContainer("restart", words, host, async (name) => {
    await stopContainer(name, options, roots);
    const { startEach } = await import("../../runtime/start_again.ts");
    if (await startEach([name], roots, true) !== 0) throw new PaddockError(`cannot start container '${name}' again`);
    return name;
  });
}
