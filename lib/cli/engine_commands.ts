/**
 * The verbs of an OCI runtime: those of paddock, but for two that mean something else here, `run` and `ps`.
 *
 * @module
 */
import { BUNDLE_RUN_FLAGS } from "./bundle_flags.ts";
import { COMMANDS } from "./commands.ts";
import type { Command } from "./types.ts";

const RUN: Command = {
  name: "run",
  summary: "create a container from a bundle, and start it",
  description:
    "The bundle is a directory with config.json and the root filesystem that it names. The exit code is the " +
    "command's, and the container is deleted when it has ended, unless with --keep.",
  positionals: [{ name: "ID" }],
  options: BUNDLE_RUN_FLAGS,
  examples: [["paddock run --bundle ./web web", "created, started, and deleted at its end"]],
  load: () => import("./verbs/run_bundle.ts"),
};

const PS: Command = {
  name: "ps",
  summary: "show the processes of a container",
  positionals: [{ name: "ID" }, { name: "PS-OPTION", optional: true, rest: true }],
  options: [{ name: "format", short: "f", value: "FORMAT", choices: ["table", "json"], help: "table or json (table)" }],
  examples: [["paddock ps --format json web", "their process ids"]],
  load: () => import("./verbs/ps_container.ts"),
};

/** Of one container alone. */
const EVENTS: Command = {
  ...COMMANDS.find(({ name }) => name === "events")!,
  summary: "tell what a container uses, and when it runs out of memory",
  description: "One line of JSON for each event, until the container ends.",
  positionals: [{ name: "ID" }],
  options: [
    { name: "interval", value: "DURATION", help: "between two looks (5s)" },
    { name: "stats", help: "what it uses now, and no more" },
  ],
  examples: [["paddock events --stats web", "processor time, memory, disks, processes"]],
};

const NAMES = [
  "checkpoint",
  "create",
  "delete",
  "exec",
  "features",
  "kill",
  "list",
  "pause",
  "restore",
  "resume",
  "spec",
  "start",
  "state",
  "update",
];

/** In the order in which help shows them. */
export const ENGINE_COMMANDS: readonly Command[] = [
  ...COMMANDS.filter(({ name }) => NAMES.includes(name)),
  EVENTS,
  RUN,
  PS,
].sort((a, b) => a.name < b.name ? -1 : 1);

/** The verb in an OCI runtime's form; undefined for those that only paddock has. */
export function findEngineCommand(verb: string): Command | undefined {
  return ENGINE_COMMANDS.find(({ name }) => name === verb);
}
