/**
 * Checks of hooks (runtime-spec config.md, POSIX-platform Hooks).
 *
 * @module
 */
import type { Config, Hook, Hooks } from "./config.ts";
import { type Check, type Finding, finding } from "./finding.ts";

/** The points of a container's life that hooks can be given for, in their order. */
export const HOOK_NAMES: readonly (keyof Hooks)[] = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
];

/** The rules for `hooks`. */
export const HOOK_CHECKS: readonly Check[] = [checkHooks];

function checkHooks({ hooks = {} }: Config): Finding[] {
  return HOOK_NAMES.flatMap((name) =>
    (hooks[name] ?? []).flatMap((hook, index) => checkHook(`hooks.${name}[${index}]`, hook))
  );
}

/** An absolute path, variables with names, and time to run. */
function checkHook(path: string, { path: program, env = [], timeout }: Hook): Finding[] {
  return [
    ...(program.startsWith("/") ? [] : [finding(`${path}.path`, `'${program}' is not absolute`)]),
    ...env.flatMap((entry, index) =>
      entry.indexOf("=") > 0 ? [] : [finding(`${path}.env[${index}]`, `'${entry}' is not of the form NAME=value`)]
    ),
    ...(timeout === undefined || timeout > 0
      ? []
      : [finding(`${path}.timeout`, `${timeout} is no time; leave it out for no limit`)]),
  ];
}
