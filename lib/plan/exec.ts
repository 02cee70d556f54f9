/**
 * A further process in a container that runs: its namespaces are joined, its cgroups entered, and it becomes who it is
 * to be, by the same builders as the container's first process.
 *
 * ```
 *   launcher                                   process
 *   join the pid namespace (for children)
 *   clone ───────────────────────────────────▶ enter the cgroups, before anything else
 *     (sleeps: CLONE_VFORK, one memory)         join ipc, uts, net, cgroup, mount, and last user
 *                                               directory, limits, ids, capabilities
 *                                               exec ──▶ the command
 *   wait, send signals on, end with its code; or, detached, write its process id and end
 * ```
 *
 * Nothing of the container can look into it on its way: launcher and child cannot be dumped, and have no descriptor of
 * the host but those that the next step closes (CVE-2016-9962).
 *
 * @module
 */
import type { Facts } from "../host/facts.ts";
import { type Act, AT_FDCWD, flags, type Plan, type Section, step, text, writeFile } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { labelFirst } from "./acts.ts";
import {
  CREATION_REGIONS,
  planAwaitExec,
  planConnectConsole,
  planDetached,
  planHandOver,
  planPidFiles,
} from "./created.ts";
import { planPreserved, PRESERVED_REGIONS } from "./descriptors.ts";
import { planContainerFault, planExit, planExitCode, planFinish, planLauncherFault } from "./ending.ts";
import { planIdentity, planLimits, planOomScore } from "./identity.ts";
import { CHILD, planClone, planLauncher, planStarted, planWatch, REGIONS } from "./monitor.ts";
import { planBeforeClone, planNamespaces, planReturn } from "./namespaces.ts";
import { planEnterUser, planOpenUser } from "./joined_user.ts";
import { planKeyring } from "./keyring.ts";
import { planLabels } from "./labels.ts";
import { planAffinity, planPolicies } from "./policies.ts";
import { planDirectory, planDirectoryCheck, planExec, planSession, resetSignals } from "./process.ts";
import { PATH_REGIONS } from "./paths.ts";
import { planSeccomp } from "./seccomp/acts.ts";
import { hasListener, LISTENER_REGIONS, planAwaitTaken, planListener, planReachAgent } from "./seccomp/listener.ts";
import type { Setting } from "./setting.ts";
import { planPidfdSocket, planSendPidfd } from "./sockets.ts";
import { ROOT } from "./targets.ts";
import { planPty, planRelay, planStreams, planTerminalSize, TERMINAL_REGIONS } from "./terminal.ts";

/** Where a further process goes, and how it is watched over. */
export interface ExecSetting extends Setting {
  /** Directories of the container's cgroups, absolute. */
  readonly joins: readonly string[];
  /** The launcher ends once the command has begun. */
  readonly detached: boolean;
  /** Files that its process id is written to. */
  readonly pidFiles: readonly string[];
  /** Path of a unix socket that the terminal's master is sent to. */
  readonly consoleSocket?: string;
  /** Path of a unix socket that a descriptor of the process is sent to. */
  readonly pidfdSocket?: string;
}

/**
 * Plans a further process of a container.
 *
 * @param config its namespaces are all joined by their paths; of the rest only `process` counts.
 */
export function planExecInto(config: Config, facts: Facts, setting: ExecSetting): Plan {
  const finish = setting.finish ?? { argv: [], env: [] };
  const listener = setting.listener === undefined || !hasListener(config)
    ? []
    : [...planListener(config, setting.listener, "listener", "begun"), planAwaitExec("begun")];
  const end = setting.detached ? [...planDetached(setting), ...planExit(setting).slice(-1)] : [
    ...planStarted(setting),
    ...planSendPidfd(setting.pidfdSocket, { load: CHILD }, "setns"),
    ...planPidFiles(setting.pidFiles),
    ...watch(config, facts, setting),
    planExitCode(setting),
    ...planExit(setting),
  ];
  const [outcome, execute] = planFinish(setting, finish, "leftovers");
  const tell = [outcome!, ...planReturn(config), execute!];
  const section = (title: string, acts: readonly Act[], fault = "launcher.fault"): Section => ({
    side: "launcher",
    title,
    fault,
    acts,
  });
  return {
    arch: facts.arch,
    name: setting.name,
    regions: {
      ...REGIONS,
      ...PATH_REGIONS,
      ...CREATION_REGIONS,
      ...(hasListener(config) ? LISTENER_REGIONS : {}),
      ...(setting.preserved === undefined ? {} : PRESERVED_REGIONS),
      ...(config.process.terminal ? TERMINAL_REGIONS : {}),
    },
    sections: [
      section("before the process", labelFirst(before(config, facts, setting), "begin")),
      {
        side: "container",
        title: "the process",
        fault: "container.fault",
        acts: labelFirst(inside(config, facts, setting), "container"),
      },
      section("while it runs", [...listener, ...end]),
      section("when there is something to tell", [planLauncherFault(), ...tell], "exit"),
    ],
    cgroupPaths: setting.joins,
  };
}

function before(config: Config, facts: Facts, setting: ExecSetting): Act[] {
  const { consoleSocket, pidfdSocket } = setting;
  const { terminal } = config.process;
  return [
    ...planLauncher(setting),
    ...planBeforeClone(config, facts),
    ...(consoleSocket === undefined ? [] : [planConnectConsole(consoleSocket)]),
    ...planPidfdSocket(pidfdSocket),
    ...(terminal && consoleSocket === undefined ? [planTerminalSize()] : []),
    ...planReachAgent(config, facts),
    planClone({
      arch: facts.arch,
      flags: terminal ? ["CLONE_FILES"] : [],
      unshare: "",
      // Its exec may be what the agent is asked about: the launcher does not sleep until then.
      concurrent: hasListener(config),
      next: hasListener(config) ? "listener" : "started",
    }),
  ];
}

function inside(config: Config, facts: Facts, setting: ExecSetting): Act[] {
  const { terminal } = config.process;
  return [
    ...planAffinity(config.process, "initial"),
    ...setting.joins.map(enterCgroup),
    ...planAffinity(config.process, "final"),
    ...planSession(!setting.detached),
    ...planPolicies(config),
    // With the host's own /proc, which nobody inside can replace.
    ...planOomScore(config),
    // Through a descriptor of the thread's own attributes, opened by its unchanged credentials.
    ...planLabels(config),
    ...planOpenUser(config),
    ...planNamespaces(config),
    ...planEnterUser(config),
    ...planKeyring(config, setting),
    ...(terminal ? [openRoot(), planPty(facts, false)] : []),
    ...planDirectory(config),
    ...planLimits(config, facts),
    ...planIdentity(config, facts),
    resetSignals(!setting.detached),
    planDirectoryCheck(config),
    ...(terminal && setting.consoleSocket !== undefined ? [planHandOver()] : []),
    ...(terminal ? [planStreams(config)] : []),
    ...planPreserved(setting.preserved),
    ...planSeccomp(config, facts, setting.filter),
    ...planAwaitTaken(config),
    planExec(config),
    planContainerFault(),
  ];
}

function enterCgroup(path: string): Act {
  return {
    what: `enter the cgroup ${path}`,
    why: "what it does counts on the container's account from its first instruction",
    shell: [`echo 0 > ${path}/cgroup.procs`],
    steps: writeFile(`${path}/cgroup.procs`, "0"),
  };
}

/** The mount namespace is the container's by now, and so is its root. */
function openRoot(): Act {
  return {
    what: "open the container's root",
    why: "its devpts is looked up from this descriptor by the kernel, and stays inside",
    shell: [],
    steps: [step("openat", [AT_FDCWD, text("/"), flags("O_PATH", "O_DIRECTORY", "O_CLOEXEC")], { label: ROOT })],
  };
}

function watch(config: Config, facts: Facts, setting: Setting): Act[] {
  return config.process.terminal ? planRelay(facts, setting) : planWatch({ freeze: [], thaw: [] });
}
