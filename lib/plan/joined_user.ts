/**
 * A user namespace that is there already, and is joined by its path.
 *
 * What the container gets new must belong to that namespace, or its root could not mount anything; and the launcher must
 * keep the host's root, to clean up. So a process between the two joins, and makes the container's first process, as a
 * child not of its own but of the launcher:
 *
 * ```
 *   launcher                 joiner                          container
 *   clone ─────────────────▶ setns the user namespace
 *     (sleeps)               clone, CLONE_PARENT ──────────▶ enter cgroups, mounts, … exec ──▶ the command
 *                              (sleeps until the exec)
 *   ◀─────────────────────── exit
 *   reap the joiner, go on as ever
 * ```
 *
 * @module
 */
import { quoteShell } from "../base/text.ts";
import { type Act, AT_FDCWD, flags, previous, result, step, text } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { CHILD } from "./monitor.ts";

/** The path of the user namespace that the Config joins; undefined where it joins none. */
export function joinedUser({ linux: { namespaces } }: Config): string | undefined {
  return namespaces.find(({ type, path }) => type === "user" && path !== undefined)?.path;
}

/** How the container's first process is made. */
export interface JoinOptions {
  /** Of the user namespace. */
  readonly path: string;
  /** Beside those that every container has. */
  readonly flags: readonly string[];
}

/** The launcher's acts: start the joiner, and reap it when the container's command runs, or has failed. */
export function planJoiner({ path, flags: asked }: JoinOptions): Act[] {
  const shared = asked.filter((name) => name === "CLONE_FILES");
  return [{
    what: "start a process that joins the user namespace",
    why:
      "the launcher itself stays outside, where it can clean up; the container's new namespaces belong to the joined one",
    shell: [`nsenter --user=${quoteShell(path)} unshare … sh <<'container'`],
    steps: [
      step("clone", [flags("CLONE_VM", "CLONE_VFORK", ...shared, "SIGCHLD"), 0, 0, 0, 0], {
        label: "joiner",
        onZero: "join",
      }),
      step("wait4", [result("joiner"), 0, 0, 0], { onPositive: "started" }),
    ],
  }];
}

/** The joiner's acts; the container's steps begin at the label `container`. */
export function planJoin({ path, flags: asked }: JoinOptions): Act[] {
  return [{
    what: `join the user namespace ${path}`,
    why: "asked for: its ids are the container's",
    shell: [],
    steps: [
      step("openat", [AT_FDCWD, text(path), flags("O_RDONLY", "O_CLOEXEC")], { label: "join" }),
      step("setns", [previous(), flags("CLONE_NEWUSER")]),
      step("close", [previous(2)]),
    ],
  }, {
    what: "start the container's first process",
    why: "it is born in new namespaces that belong to the joined one, and is the launcher's child",
    shell: [],
    steps: [
      step("clone", [
        flags("CLONE_VM", "CLONE_VFORK", "CLONE_PARENT", "CLONE_PARENT_SETTID", ...asked, "SIGCHLD"),
        0,
        { region: CHILD },
        0,
        0,
      ], { label: "clone", onZero: "container" }),
      step("exit_group", [0]),
    ],
  }];
}
