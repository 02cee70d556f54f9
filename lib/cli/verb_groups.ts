/**
 * The verbs under headings, in the order in which people look for them.
 *
 * @module
 */
import { listShown } from "./commands.ts";
import type { Command } from "./types.ts";

/** A heading, and the verbs below it. */
export interface VerbGroup {
  readonly title: string;
  readonly commands: readonly Command[];
}

const GROUPS: readonly (readonly [title: string, names: string])[] = [
  ["Containers", "run exec ps logs attach start stop restart kill wait pause unpause update rename"],
  ["What is in them", "inspect top stats events port diff cp export commit rm"],
  ["Images", "pull push images load save import tag history verify rmi prune login logout"],
  ["Networks", "network"],
  ["Understanding", "explain doctor compile inspect-program"],
  ["Keeping house", "gc healthcheck generate"],
  ["As an OCI runtime", "create state delete list resume checkpoint restore spec features"],
];

/** All that are shown; what stands under no heading comes last, under its own. */
export function groupVerbs(): VerbGroup[] {
  const shown = listShown();
  const named = GROUPS.map(([title, names]): VerbGroup => {
    const commands = names.split(" ").map((name) => shown.find((command) => command.name === name));
    return { title, commands: commands.filter((command) => command !== undefined) };
  });
  const others = shown.filter((command) => !named.some(({ commands }) => commands.includes(command)));
  return [...named, { title: "This program", commands: others }].filter(({ commands }) => commands.length > 0);
}
