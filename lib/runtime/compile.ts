/**
 * `paddock compile`: the launcher as a file that starts the container without paddock.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { probeHost } from "../host/probe.ts";
import { planContainer } from "../plan/build.ts";
import { RUN_ID_DIGITS } from "../plan/setting.ts";
import { assemble } from "../program/assemble.ts";
import type { RunOptions } from "../spec/run_options.ts";
import { openImage } from "./open_image.ts";
import { placeNetwork } from "./place_network.ts";
import { prepareContainer } from "./prepare.ts";
import type { Voice } from "./voice.ts";

/**
 * Writes a launcher. It needs no root for a directory; an archive has to be imported first, which does.
 *
 * @param output path of the file; one that is there is replaced.
 * @throws PaddockError where `run` would refuse as well, or the file cannot be written.
 */
export async function compileContainer(options: RunOptions, output: string, voice: Voice): Promise<void> {
  refuse(options);
  const facts = probeHost();
  const image = await openImage(options, facts, facts.uid === 0 ? "import" : "look", voice);
  image.notes.forEach((note) => voice.note(note));
  const name = options.name ?? nameOf(output);
  const id = `${name}-${RUN_ID_DIGITS}`;
  const stateDir = `${options.root}/${id}`;
  const network = await placeNetwork(options, image, stateDir, voice);
  const { config, setting } = await prepareContainer(options, facts, image, {
    id,
    name,
    stateDir,
    // A directory is written into as it is.
    dataDir: image.overlaid ? `${stateDir}/fs` : "",
    inMemory: true,
    prepared: false,
    keep: false,
    ...(network === undefined ? {} : { network }),
  });
  writeProgram(assemble(planContainer(config, facts, setting)), output);
}

function refuse(options: RunOptions): void {
  const what = options.image === "-"
    ? "a tarball on standard input"
    : options.trace
    ? "--trace"
    : options.detach
    ? "--detach"
    : options.rwSave !== undefined
    ? "--rw-save"
    : typeof options.network !== "string" && options.network.kind !== "path"
    ? "a network whose addresses paddock gives out"
    : options.mounts.some((mount) => mount.kind === "bind" && mount.anonymous)
    ? "a volume without a directory"
    : options.cgroupManager === "systemd"
    ? "--cgroup-manager systemd"
    : undefined;
  if (what === undefined) return;
  throw new PaddockError(`compile cannot take ${what}: the program is run without paddock, and many times`, {
    hint: "leave it out, or use `paddock run`",
  });
}

/** A container's name from that of the file: what a name cannot hold becomes a dash. */
function nameOf(output: string): string {
  const base = output.slice(output.lastIndexOf("/") + 1).replace(/[^a-zA-Z0-9_.-]+/g, "-").replace(
    /^[^a-zA-Z0-9]+/,
    "",
  );
  return base === "" ? "container" : base.slice(0, 100);
}

function writeProgram(program: Uint8Array, output: string): void {
  // A rename, for a program that runs cannot be written to.
  const beside = `${output}.${Deno.pid}.new`;
  try {
    Deno.writeFileSync(beside, program, { createNew: true, mode: 0o755 });
    Deno.renameSync(beside, output);
  } catch (cause) {
    try {
      Deno.removeSync(beside);
    } catch {
      // It was not made.
    }
    throw new PaddockError(`cannot write ${output}: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}
