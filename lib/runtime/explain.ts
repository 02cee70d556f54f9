/**
 * `paddock explain`: what `run` would do. Needs no root, and makes nothing.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { probeHost } from "../host/probe.ts";
import { planContainer } from "../plan/build.ts";
import { explainAsJson, explainAsShell, explainAsSyscalls } from "../plan/explain.ts";
import { describeAsImage } from "../spec/container_image_config.ts";
import type { RunOptions } from "../spec/run_options.ts";
import { describeSubject, JOURNAL_FILE } from "../state/journal.ts";
import { detachmentOf, isKept } from "./detachment.ts";
import { openImage } from "./open_image.ts";
import { placeNetwork } from "./place_network.ts";
import { prepareContainer } from "./prepare.ts";
import type { Voice } from "./voice.ts";
import { hasVolumes, listVolumes, mountVolumes } from "./volumes.ts";

/** How a plan is shown; shell commands unless told otherwise. */
export interface ExplainOptions {
  readonly syscalls: boolean;
  readonly json: boolean;
}

/**
 * The plan of a container as text.
 *
 * @throws PaddockError where `run` would refuse as well.
 */
export async function explainContainer(
  options: RunOptions,
  { syscalls, json }: ExplainOptions,
  voice: Voice,
): Promise<string> {
  if (options.cgroupManager === "systemd") {
    throw new PaddockError("a scope is made by systemd, which is asked only when a container begins", {
      hint: "explain it without --cgroup-manager systemd: all but its cgroup is the same",
    });
  }
  const facts = probeHost();
  const image = await openImage(options, facts, "look", voice);
  image.notes.forEach((note) => voice.note(note));
  const id = options.name ?? "example";
  const keep = isKept(options);
  const hasData = image.overlaid || keep || hasVolumes(options, image);
  const where = {
    stateDir: `${options.root}/${id}`,
    dataDir: hasData ? `${options.dataRoot}/containers/${id}` : "",
    keep,
  };
  const network = await placeNetwork(options, image, `${options.root}/${id}`, voice, true);
  const mounted = mountVolumes(options, listVolumes(options, image, where.dataDir));
  const { config, setting } = await prepareContainer(mounted, facts, image, {
    id,
    name: id,
    ...where,
    prepared: true,
    ...detachmentOf(options, { name: id, ...where }),
    ...(network === undefined ? {} : { network }),
    finish: { argv: ["/usr/local/bin/paddock", "finish", id], env: [] },
  });
  const about = describeSubject({ id, image: options.image, imageConfig: describeAsImage(options, image.config) });
  const journal = { file: `${options.root}/${JOURNAL_FILE}`, about: { ...about } };
  const plan = planContainer(config, facts, { ...setting, journal });
  if (json) return explainAsJson(plan);
  return syscalls ? explainAsSyscalls(plan) : explainAsShell(plan);
}
