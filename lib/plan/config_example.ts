/**
 * Configs and Settings for tests: a plain container with docker's defaults, and what of it differs.
 *
 * @module
 */
import { formatStep } from "../program/format.ts";
import type { Act, Plan, Step } from "../program/step.ts";
import type { Config, Linux, Process } from "../spec/config.ts";
import {
  DEFAULT_CAPABILITIES,
  DEFAULT_MOUNTS,
  DEFAULT_NAMESPACES,
  DEFAULT_PATH,
  DEVICE_RULES,
  MASKED_PATHS,
  READONLY_PATHS,
} from "../spec/defaults.ts";
import { OCI_VERSION } from "../spec/oci_version.ts";
import type { Setting } from "./setting.ts";

/** What of an example differs from the plain one; a part that is given replaces that part's fields one by one. */
export type ConfigOverrides = Partial<Omit<Config, "process" | "linux">> & {
  readonly process?: Partial<Process>;
  readonly linux?: Partial<Linux>;
};

/** `paddock run ROOTFS true` as root, as a Config. */
export function exampleConfig({ process, linux, ...others }: ConfigOverrides = {}): Config {
  const capabilities = DEFAULT_CAPABILITIES.map((name) => `CAP_${name.toUpperCase()}`);
  return {
    ociVersion: OCI_VERSION,
    root: { path: "/srv/rootfs" },
    hostname: "box",
    mounts: DEFAULT_MOUNTS,
    annotations: {},
    ...others,
    process: {
      cwd: "/",
      env: [`PATH=${DEFAULT_PATH}`],
      args: ["true"],
      user: { uid: 0, gid: 0 },
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      ...process,
    },
    linux: {
      namespaces: DEFAULT_NAMESPACES.map((type) => ({ type })),
      resources: { devices: DEVICE_RULES },
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
      ...linux,
    },
  };
}

/** A throw-away container on an overlay, started by paddock. */
export function exampleSetting(overrides: Partial<Setting> = {}): Setting {
  return {
    id: "web",
    name: "web",
    rootfs: { kind: "overlay", lower: ["/srv/rootfs"], directory: "/var/lib/paddock/containers/web" },
    stateDir: "/run/paddock/web",
    stateFiles: ["config.json", "state.json"],
    prepared: true,
    files: {},
    sources: {},
    present: new Set(),
    interactive: false,
    init: false,
    finish: { argv: ["/usr/bin/paddock", "finish", "web"], env: [] },
    keep: false,
    trace: false,
    ...overrides,
  };
}

/** All acts of a plan, or those of one side. */
export function actsOf(plan: Plan, side?: "launcher" | "container"): Act[] {
  return plan.sections.filter((section) => side === undefined || section.side === side).flatMap(({ acts }) => acts);
}

/** Every step of these acts, as `explain --syscalls` writes it. */
export function writeSteps(acts: readonly Act[]): string[] {
  return acts.flatMap(({ steps }) => steps.map(formatStep));
}

/** The steps of these acts that make one call. */
export function findSteps(acts: readonly Act[], call: string): Step[] {
  return acts.flatMap(({ steps }) => steps.filter((step) => step.call === call));
}
