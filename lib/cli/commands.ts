/**
 * The command table: every verb of paddock, as data.
 *
 * Parsing, help, completion and the manual page read it; nothing of a verb's own code is loaded before it is called.
 *
 * @module
 */
import { CONTAINER_COMMANDS } from "./commands/containers.ts";
import { HOST_COMMANDS } from "./commands/host.ts";
import { IMAGE_COMMANDS } from "./commands/images.ts";
import { RUNTIME_COMMANDS } from "./commands/runtime.ts";
import type { Command } from "./types.ts";

/** All verbs. */
export const COMMANDS: readonly Command[] = [
  ...CONTAINER_COMMANDS,
  ...IMAGE_COMMANDS,
  ...RUNTIME_COMMANDS,
  ...HOST_COMMANDS,
];

/** The command of that name; undefined where there is none. */
export function findCommand(name: string): Command | undefined {
  return COMMANDS.find((command) => command.name === name);
}

/** The verbs that are shown. */
export function listShown(): readonly Command[] {
  return COMMANDS.filter((command) => !command.hidden);
}
