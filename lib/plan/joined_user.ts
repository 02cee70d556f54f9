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
 *                              (sleeps until the exec, unless the container is created first)
 *   ◀─────────────────────── exit
 *   reap the joiner, go on as ever
 * ```
 *
 * @module
 */
import { quoteShell } from "../base/text.ts";
import { BUILT_IN } from "../program/layout.ts";
import { type Act, type Arch, AT_FDCWD, flags, result, step, text } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { CHILD } from "./monitor.ts";
import { planBecomeRoot } from "./user_namespace.ts";

/** The path of the user namespace that the Config joins; undefined where it joins none. */
export function joinedUser({ linux: { namespaces } }: Config): string | undefined {
  return namespaces.find(({ type, path }) => type === "user" && path !== undefined)?.path;
}

const USER_NAMESPACE = "user.namespace";

/** In a further process, before it enters the others: the container's user namespace is opened, for its path goes. */
export function planOpenUser(config: Config): Act[] {
  const path = joinedUser(config);
  if (path === undefined) return [];
  return [{
    what: `open the user namespace ${path}`,
    why: "it is entered last: the host's root may enter all others, whoever they belong to",
    shell: [`exec 8<${quoteShell(path)}`],
    steps: [step("openat", [AT_FDCWD, text(path), flags("O_RDONLY", "O_CLOEXEC")], { label: USER_NAMESPACE })],
  }];
}

/** The same process, in all other namespaces: from here on it is root of the container's user namespace, and no more. */
export function planEnterUser(config: Config): Act[] {
  if (joinedUser(config) === undefined) return [];
  return [{
    what: "enter the container's user namespace",
    why: "its ids are the process's, and no rights of the host's",
    shell: ["nsenter --user=/proc/self/fd/8"],
    steps: [
      step("setns", [result(USER_NAMESPACE), flags("CLONE_NEWUSER")]),
      step("close", [result(USER_NAMESPACE)]),
    ],
  }, planBecomeRoot()];
}

/** How the container's first process is made. */
export interface JoinOptions {
  /** Of the user namespace. */
  readonly path: string;
  /** Beside those that every container has. */
  readonly flags: readonly string[];
  readonly arch: Arch;
  /** The launcher does not sleep until the exec: the child says in the region `vm` how far it is. */
  readonly concurrent: boolean;
  /** Label of the step that the launcher goes on at. */
  readonly next: string;
}

/** The launcher's acts: start the joiner, and reap it when the container's command runs, or has failed. */
export function planJoiner({ path, flags: asked, concurrent, next }: JoinOptions): Act[] {
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
      step("wait4", [result("joiner"), 0, 0, 0], { onPositive: concurrent ? "next" : next }),
      // It may have failed before there was a child, which nobody would hear of then.
      ...(concurrent
        ? [step("@add", [{ load: BUILT_IN.fault }, 0], { onZero: next, onPositive: "unready", onNegative: "unready" })]
        : []),
    ],
  }];
}

/**
 * The joiner's acts; the container's steps begin at the label `container`.
 *
 * @param others the acts by which it joins other namespaces, with the host's root.
 */
export function planJoin({ path, flags: asked, arch, concurrent }: JoinOptions, others: readonly Act[]): Act[] {
  const own = concurrent ? ["CLONE_CHILD_CLEARTID"] : ["CLONE_VFORK"];
  const cleared = concurrent ? { region: "vm" } : 0;
  const last = arch === "x86_64" ? [cleared, 0] : [0, cleared];
  return [
    {
      what: `open the user namespace ${path}`,
      why: "it is joined when all others are",
      shell: [],
      steps: [step("openat", [AT_FDCWD, text(path), flags("O_RDONLY", "O_CLOEXEC")], { label: "join" })],
    },
    ...others,
    {
      what: `join the user namespace ${path}`,
      why: "asked for: its ids are the container's",
      shell: [],
      steps: [
        step("setns", [result("join"), flags("CLONE_NEWUSER")]),
        step("close", [result("join")]),
      ],
    },
    {
      what: "start the container's first process",
      why: "it is born in new namespaces that belong to the joined one, and is the launcher's child",
      shell: [],
      steps: [
        step("clone", [
          flags("CLONE_VM", "CLONE_PARENT", "CLONE_PARENT_SETTID", ...own, ...asked, "SIGCHLD"),
          0,
          { region: CHILD },
          ...last,
        ], { label: "clone", onZero: "container" }),
        step("exit_group", [0]),
      ],
    },
  ];
}
