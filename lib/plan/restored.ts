/**
 * The launcher of a container that somebody else has brought to life (`restore`): it watches over it as over its own.
 *
 * @module
 */
import type { CgroupActs } from "../cgroup/acts.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, type Plan, previous, step } from "../program/step.ts";
import { labelFirst } from "./acts.ts";
import { planExit, planExitCode, planFinish, planLauncherFault } from "./ending.ts";
import { CHILD, planLauncher, planWatch, REGIONS } from "./monitor.ts";
import type { Setting } from "./setting.ts";

/** Makes the cgroups of a container, and ends: with 0, or 1 where that cannot be. */
export function planCgroupsAlone(cgroup: CgroupActs, { arch }: Facts, name: string): Plan {
  const end: Act = {
    what: "end",
    why: "the cgroups are there",
    shell: [],
    steps: [step("exit_group", [0]), step("exit_group", [1], { label: "failed" })],
  };
  return {
    arch,
    name,
    regions: { ...REGIONS, ...cgroup.regions },
    sections: [{ side: "launcher", title: "the cgroups", fault: "failed", acts: [...cgroup.create, end] }],
    cgroupPaths: cgroup.paths,
  };
}

/**
 * Watches over a process that is a child of this one already.
 *
 * @param pid the container's first process
 */
export function planRestored(pid: number, { arch }: Facts, setting: Setting, cgroup: CgroupActs): Plan {
  const finish = setting.finish ?? { argv: [], env: [] };
  const freezer = { freeze: cgroup.freeze ?? [], thaw: cgroup.thaw ?? [] };
  return {
    arch,
    name: setting.name,
    regions: { ...REGIONS, ...cgroup.regions },
    sections: [
      {
        side: "launcher",
        title: "while the container lives",
        fault: "launcher.fault",
        acts: labelFirst([...planLauncher(setting), adopt(pid), ...planWatch(freezer)], "begin"),
      },
      {
        side: "launcher",
        title: "after the container",
        fault: "launcher.fault",
        acts: [planExitCode(setting), ...cgroup.remove, ...planExit(setting)],
      },
      {
        side: "launcher",
        title: "when there is something to tell or to clean",
        fault: "exit",
        acts: [planLauncherFault(), ...planFinish(setting, finish, "leftovers")],
      },
    ],
    cgroupPaths: cgroup.paths,
  };
}

const SIGCHLD = 17;

/** Its end may have been told before signals were blocked. */
function adopt(pid: number): Act {
  return {
    what: `watch over process ${pid}`,
    why: "it was restored as a child of this process",
    shell: [],
    steps: [
      step("@store", [{ region: CHILD }, pid]),
      step("getpid", []),
      step("kill", [previous(), SIGCHLD]),
    ],
  };
}
