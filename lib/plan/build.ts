/**
 * From a Config to a Plan: the one place that fixes the order of everything, and says why.
 *
 * @module
 */
import type { CgroupActs } from "../cgroup/acts.ts";
import { planCgroup } from "../cgroup/plan.ts";
import { viewMounts } from "../cgroup/view.ts";
import type { Facts } from "../host/facts.ts";
import type { Act, Plan, Section } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { freshnessRegions, GIVE_UP, planAnew, planFreshness } from "./freshness.ts";
import type { CachedRun } from "./seen.ts";
import { HOST_CHECK_REGIONS, planHostCheck } from "./host_check.ts";
import { planIdentity, planLimits, planOomScore } from "./identity.ts";
import {
  giveUpLock,
  planContainerFault,
  planExit,
  planExitCode,
  planFinish,
  planLauncherFault,
  planReport,
  planRetry,
  planWhetherAnew,
} from "./ending.ts";
import { planClone, planLauncher, planStarted, planState, planWatch, REGIONS } from "./monitor.ts";
import { planBindSources } from "./binds.ts";
import { mountKey, planMounts } from "./mounts.ts";
import {
  cloneFlags,
  isNew,
  planBeforeClone,
  planNames,
  planNamespaces,
  planSysctls,
  unshareOptions,
} from "./namespaces.ts";
import { PATH_REGIONS, planProtectedPaths } from "./paths.ts";
import { planInit, planInitFile } from "./init.ts";
import {
  planCloseLock,
  planDirectory,
  planDirectoryCheck,
  planEmptyInput,
  planExec,
  planSession,
  resetSignals,
} from "./process.ts";
import { planRelay, planStreams, planTerminalSize, TERMINAL_REGIONS } from "./terminal.ts";
import { planSeccomp } from "./seccomp/acts.ts";
import { planDirectories, planPivot, planPropagation, planRemoval, planRootfs } from "./rootfs.ts";
import { withRunId } from "./run_id.ts";
import type { Setting } from "./setting.ts";
import {
  checkUserNamespace,
  planBecomeRoot,
  planMapping,
  planMappingFault,
  planOwnMounts,
  planWaitForMaps,
  USER_NAMESPACE_REGIONS,
} from "./user_namespace.ts";

/**
 * Plans a container.
 *
 * @throws PaddockError where this host cannot do what the Config asks for.
 */
export function planContainer(config: Config, facts: Facts, setting: Setting): Plan {
  const cgroup = planCgroup({
    name: `paddock/${setting.id}`,
    resources: config.linux.resources ?? {},
    ...(setting.cgroupParent === undefined ? {} : { parent: setting.cgroupParent }),
  }, facts);
  const { cached } = setting;
  const sections: Section[] = [
    ...(cached === undefined ? [] : [planFreshness(cached)]),
    prepare(config, facts, setting, cgroup),
    container(config, facts, setting, cgroup),
    ...(isNew(config, "user") ? [mapping(config, facts, setting)] : []),
    watch(config, facts, setting, cgroup),
    cleanUp(config, setting, cgroup),
    ...(setting.finish === undefined
      ? standAlone(config, setting, cgroup)
      : [handOver(config, setting, cgroup, setting.finish)]),
  ];
  const [first, ...others] = sections;
  const plan = {
    arch: facts.arch,
    name: setting.name,
    regions: {
      ...REGIONS,
      ...PATH_REGIONS,
      ...(setting.finish === undefined ? HOST_CHECK_REGIONS : {}),
      ...(config.process.terminal ? TERMINAL_REGIONS : {}),
      ...(isNew(config, "user") ? USER_NAMESPACE_REGIONS : {}),
      ...cgroup.regions,
      ...(cached === undefined ? {} : freshnessRegions(cached)),
    },
    // What has run is given back from here on.
    sections: [{ ...first!, acts: labelFirst(first!.acts, "begin") }, ...others],
    cgroupPaths: cgroup.paths,
  };
  return setting.prepared ? plan : withRunId(plan, setting.id);
}

/** What is made outside, so that it is there before the container's first instruction. */
function prepare(config: Config, facts: Facts, setting: Setting, cgroup: CgroupActs): Section {
  const inUserNamespace = isNew(config, "user");
  if (inUserNamespace) checkUserNamespace(facts);
  return {
    side: "launcher",
    title: "before the container",
    fault: "launcher.fault",
    acts: [
      ...planLauncher(setting),
      ...(setting.finish === undefined ? planHostCheck(facts, cgroup.paths) : []),
      ...planState(setting, cgroup.paths),
      ...planDirectories(config, setting),
      ...cgroup.create,
      ...planBeforeClone(config, facts),
      ...(config.process.terminal ? [planTerminalSize()] : []),
      ...(inUserNamespace ? [planOwnMounts()] : []),
      planClone({
        arch: facts.arch,
        // With a user namespace the child takes its mount namespace later, from the launcher's own.
        flags: [
          ...cloneFlags(config).filter((name) => !(inUserNamespace && name === "CLONE_NEWNS")),
          ...(config.process.terminal ? ["CLONE_FILES"] : []),
        ],
        unshare: unshareOptions(config),
        concurrent: inUserNamespace,
      }),
    ],
  };
}

function container(config: Config, facts: Facts, setting: Setting, cgroup: CgroupActs): Section {
  const acts: Act[] = [
    // The limits hold from here on: whatever is done for the container is done on its account.
    ...cgroup.join,
    ...(isNew(config, "user") ? [planWaitForMaps()] : []),
    ...planSession(),
    // The host's /dev/null: the container's is not there yet.
    ...(setting.interactive || config.process.terminal ? [] : [planEmptyInput()]),
    // After the cgroup was entered, for it becomes the root of the cgroup namespace.
    ...planNamespaces(config),
    planPropagation(config, facts, setting),
    ...planBindSources(config.mounts, facts, mountKey),
    ...planRootfs(config, facts, setting),
    ...(isNew(config, "user") ? [planBecomeRoot()] : []),
    ...planMounts({ config, facts, setting, cgroupView: viewMounts(facts, cgroup) }),
    ...planOomScore(config),
    // Before /proc/sys becomes read-only, and with the host's own /proc and /dev/null, which nobody inside can replace.
    ...planSysctls(config, facts),
    ...planProtectedPaths(config, facts),
    ...planPivot(config),
    ...planNames(config),
    ...planDirectory(config),
    ...planLimits(config, facts),
    ...planIdentity(config, facts),
    resetSignals(),
    planDirectoryCheck(config),
    ...(config.process.terminal ? [planStreams(config)] : []),
    planCloseLock(),
    ...(setting.init ? [planInitFile(config, facts.arch)] : []),
    // Nothing but the exec comes after it, whatever it forbids.
    ...planSeccomp(config, facts, setting.filter),
    setting.init ? planInit(config) : planExec(config),
    planContainerFault(),
  ];
  return { side: "container", title: "the container", fault: "container.fault", acts: labelFirst(acts, "container") };
}

/** Between the clone and the exec, for a user namespace: the part that takes the host's root. */
function mapping(config: Config, facts: Facts, setting: Setting): Section {
  const acts = [
    ...labelFirst(planMapping(config, facts, setting), "mapping"),
    mark("mapped", "started"),
    planMappingFault(),
  ];
  return { side: "launcher", title: "while the container waits", fault: "mapping.fault", acts };
}

function watch(config: Config, facts: Facts, setting: Setting, cgroup: CgroupActs): Section {
  const loop = config.process.terminal
    ? planRelay(facts, setting)
    : planWatch({ freeze: cgroup.freeze ?? [], thaw: cgroup.thaw ?? [] });
  return {
    side: "launcher",
    title: "while the container lives",
    fault: "launcher.fault",
    acts: [...planStarted(setting), ...loop],
  };
}

function cleanUp(config: Config, setting: Setting, cgroup: CgroupActs): Section {
  return {
    side: "launcher",
    title: "after the container",
    fault: "launcher.fault",
    acts: [planExitCode(setting), ...cgroup.remove, ...planRemoval(config, setting, "leftovers"), ...planExit(setting)],
  };
}

function handOver(
  config: Config,
  setting: Setting,
  cgroup: CgroupActs,
  finish: NonNullable<Setting["finish"]>,
): Section {
  return {
    side: "launcher",
    title: "when there is something to tell or to clean",
    fault: "exit",
    acts: [
      planLauncherFault(),
      ...(setting.cached === undefined
        ? planFinish(setting, finish, "leftovers")
        : [...tryAnew(config, setting, cgroup, setting.cached), ...planFinish(setting, finish, "outcome")]),
    ],
  };
}

/**
 * A launcher from the cache that fails before the command has begun is not the last word: what it made is removed, and
 * paddock does the whole once more; it has the words for what is wrong, or does it better. Where something will not go
 * away the state directory stays, with a free lock, and that paddock finds it.
 */
function tryAnew(config: Config, setting: Setting, cgroup: CgroupActs, cached: CachedRun): Act[] {
  const removal = [...cgroup.remove, ...planRemoval(config, setting, "leftovers"), ...planExit(setting).slice(0, -1)];
  return [planWhetherAnew("leftovers", "outcome"), ...redirect(removal, GIVE_UP), giveUpLock(), planAnew(cached)];
}

/** The same without paddock: one line, and the clean-up once more, as long as it takes. */
function standAlone(config: Config, setting: Setting, cgroup: CgroupActs): Section[] {
  const removal = redirect([...cgroup.remove, ...planRemoval(config, setting, "leftovers")], "retry");
  return [{
    side: "launcher",
    title: "when something failed",
    fault: "exit",
    acts: [
      planLauncherFault(),
      planReport(setting.name),
      mark("again"),
      ...removal,
      mark("givenUp"),
      ...planExit(setting).slice(0, -1),
      mark("done", "exit"),
      planRetry("retry", "again", "givenUp"),
    ],
  }];
}

/** The same acts, of which what will not go away leads elsewhere. */
function redirect(acts: readonly Act[], target: string): Act[] {
  return acts.map((act) => ({
    ...act,
    steps: act.steps.map((found) => found.onNegative === "leftovers" ? { ...found, onNegative: target } : found),
  }));
}

/** A place to jump to, and from there on to the next step or to `target`. */
function mark(label: string, target = "next"): Act {
  return { what: "go on", why: "", shell: [], steps: [{ label, call: "@add", args: [0, 0], onZero: target }] };
}

/** Gives the first step of the first act a label to jump to. */
function labelFirst(acts: readonly Act[], label: string): Act[] {
  const [first, ...rest] = acts;
  if (first === undefined) return [];
  const [step, ...steps] = first.steps;
  return step === undefined
    ? [first, ...labelFirst(rest, label)]
    : [{ ...first, steps: [{ ...step, label }, ...steps] }, ...rest];
}
