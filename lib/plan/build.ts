/**
 * From a Config to a Plan: the one place that fixes the order of everything, and says why.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { CgroupActs } from "../cgroup/acts.ts";
import { placeCgroup } from "../cgroup/place.ts";
import { planDisabled } from "../cgroup/disabled.ts";
import { planCgroup } from "../cgroup/plan.ts";
import { viewMounts } from "../cgroup/view.ts";
import type { Facts } from "../host/facts.ts";
import type { Act, Plan, Region, Section, Step } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import {
  CREATION_REGIONS,
  planAwaitReady,
  planBegan,
  planCreated,
  planHandOver,
  planLeave,
  planReach,
  planReport as planStartReport,
  planWaitForStart,
} from "./created.ts";
import { planPreserved, PRESERVED_REGIONS } from "./descriptors.ts";
import { DETACH_REGIONS, planAttend, planDivide, planInput, planLetGo, planLogStreams } from "./detach.ts";
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
import { labelFirst } from "./acts.ts";
import {
  AT_HOOKS,
  awaitsHooks,
  hookRegions,
  hooksFault,
  planCreateHooks,
  planPoststartHooks,
  planRememberNamespaces,
  planRuntimeHooks,
  planStartHooks,
} from "./hooks.ts";
import type { RestartPlan } from "./detachment.ts";
import { planBeginning, planRestart, RESTART_REGIONS } from "./restart.ts";
import { planBindSources } from "./binds.ts";
import { planCgroupSources } from "./cgroup_mounts.ts";
import { mountKey, planMounts } from "./mounts.ts";
import {
  cloneFlags,
  isNew,
  planBeforeClone,
  planJoinsBefore,
  planNames,
  planNamespaces,
  planReturn,
  planSysctls,
  unshareOptions,
} from "./namespaces.ts";
import { netDeviceRegions, OWN_NETWORK, planMove, planNetAddresses, planNetDevices } from "./net_devices.ts";
import { JOURNAL_REGIONS, journalTexts, planEndEvents, planStartEvent } from "./journal.ts";
import { PUMP_REGIONS } from "./log_pump.ts";
import { NETLINK_REGIONS } from "./netlink.ts";
import { PATH_REGIONS, planProtectedPaths } from "./paths.ts";
import { planShiftedRelease, planShiftedSources, shiftedRegions } from "./idmap.ts";
import { planInit, planInitFile } from "./init.ts";
import { withIntelRdt } from "./intel_rdt.ts";
import { joinedUser, type JoinOptions, planJoin, planJoiner } from "./joined_user.ts";
import { planKeyring } from "./keyring.ts";
import { planLabels } from "./labels.ts";
import { planPolicies } from "./policies.ts";
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
import { hasListener, LISTENER_REGIONS, planLeaveAgent, planListener, planReachAgent } from "./seccomp/listener.ts";
import { planDirectories, planPivot, planPropagation, planRemoval, planRootfs, planUnmount } from "./rootfs.ts";
import { withRunId } from "./run_id.ts";
import { isWatched } from "./creation.ts";
import { planScopeTaken } from "./scope.ts";
import type { Setting } from "./setting.ts";
import {
  checkUserNamespace,
  CHILD_NETWORK,
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
  const limits = planLimitsOf(config, facts, setting);
  const cgroup = withIntelRdt(limits, config, facts, setting.id);
  const { cached } = setting;
  refuseListener(config, setting);
  const sections: Section[] = [
    ...(cached === undefined ? [] : [planFreshness(cached)]),
    prepare(config, facts, setting, cgroup),
    container(config, facts, setting, cgroup),
    ...joiner(config, facts, setting),
    ...(isNew(config, "user") ? [mapping(config, facts, setting)] : []),
    ...runtimeHooks(config, setting),
    ...watch(config, facts, setting, cgroup),
    cleanUp(config, setting, cgroup),
    ...(setting.finish === undefined
      ? standAlone(config, setting, cgroup)
      : [handOver(config, setting, cgroup, setting.finish)]),
    ...(setting.detachment === undefined ? [] : [attend(setting)]),
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
      ...(setting.creation === undefined ? {} : { ...CREATION_REGIONS, ...consoleSize(config) }),
      ...shiftedRegions(config),
      ...(setting.detachment === undefined ? {} : DETACH_REGIONS),
      ...(setting.detachment?.pump === undefined ? {} : PUMP_REGIONS),
      ...(setting.detachment?.restart === undefined ? {} : RESTART_REGIONS),
      ...(setting.journal === undefined ? {} : JOURNAL_REGIONS),
      ...NETLINK_REGIONS,
      ...netDeviceRegions(config),
      ...hookRegions(config),
      ...setting.network?.regions,
      ...cgroup.regions,
      ...(hasListener(config) ? LISTENER_REGIONS : {}),
      ...(setting.preserved === undefined ? {} : PRESERVED_REGIONS),
      ...(cached === undefined ? {} : freshnessRegions(cached)),
    },
    // What has run is given back from here on.
    sections: [{ ...first!, acts: labelFirst(first!.acts, "begin") }, ...others],
    ...(setting.journal === undefined ? {} : { written: journalTexts(setting.journal) }),
    cgroupPaths: cgroup.paths,
  };
  return setting.prepared ? plan : withRunId(plan, setting.id);
}

function refuseListener(config: Config, { listener }: Setting): void {
  if (listener !== undefined || !hasListener(config)) return;
  throw new PaddockError("the seccomp profile asks for SCMP_ACT_NOTIFY, and an agent answers for bundles only", {
    hint: "use SCMP_ACT_ERRNO or SCMP_ACT_LOG instead, or paddock run --bundle",
  });
}

/** The cgroup, by who makes it. */
function planLimitsOf({ linux: { cgroupsPath, resources = {} } }: Config, facts: Facts, setting: Setting): CgroupActs {
  const { id, scope, cgroupParent: parent, withoutCgroups } = setting;
  if (withoutCgroups) return planDisabled(resources);
  const fromBundle = setting.creation !== undefined;
  if (scope !== undefined) return planCgroup({ ...scope.place, resources, systemd: true }, facts);
  const place = placeCgroup({ id, cgroupsPath, parent, fromBundle });
  return planCgroup({ ...place, resources, updatable: fromBundle, mayExist: fromBundle }, facts);
}

/** `struct winsize`: the size that the terminal begins with. */
function consoleSize({ process: { terminal, consoleSize } }: Config): Readonly<Record<string, Region>> {
  if (!terminal || consoleSize === undefined) return {};
  const { height, width } = consoleSize;
  return { "tty.size": { size: 8, fields: [{ at: 0, size: 2, value: height }, { at: 2, size: 2, value: width }] } };
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
      ...(setting.detachment === undefined ? [] : planDivide(setting.detachment)),
      ...(setting.finish === undefined ? planHostCheck(facts, cgroup.paths) : []),
      ...planState(setting, cgroup.paths),
      ...planDirectories(config, setting),
      ...cgroup.create,
      ...planRememberNamespaces(config),
      ...planBeforeClone(config, facts, joinedUser(config) !== undefined),
      ...(setting.creation === undefined ? [] : planReach(setting.creation)),
      ...(setting.listener === undefined ? [] : planReachAgent(config, facts)),
      ...(config.process.terminal && isWatched(setting) ? [planTerminalSize()] : []),
      ...(inUserNamespace ? [planOwnMounts()] : []),
      ...planShiftedSources(config, facts, mountKey),
      ...planNetDevices(config),
      ...setting.network?.before ?? [],
      ...start(config, facts, setting),
    ],
  };
}

/** The clone of the container's first process, by way of another where that has to join a user namespace first. */
function start(config: Config, facts: Facts, { creation }: Setting): Act[] {
  const join = joinOptions(config, facts, creation);
  if (join !== undefined) return planJoiner(join);
  const mapped = isNew(config, "user");
  return [planClone({
    arch: facts.arch,
    // With a user namespace the child takes its mount namespace later, from the launcher's own.
    flags: newFlags(config).filter((name) => !(mapped && name === "CLONE_NEWNS")),
    unshare: unshareOptions(config),
    concurrent: mapped || creation !== undefined,
    next: mapped ? "mapping" : afterMapping(config, creation),
  })];
}

/** Where the launcher goes on once nothing keeps the child from its set-up. */
function afterMapping(config: Config, creation: Setting["creation"]): string {
  return awaitsHooks(config) ? "hooks" : creation === undefined ? "started" : "created";
}

function joinOptions(config: Config, { arch }: Facts, creation: Setting["creation"]): JoinOptions | undefined {
  const path = joinedUser(config);
  if (path === undefined) return undefined;
  const concurrent = creation !== undefined;
  return { path, flags: newFlags(config), arch, concurrent, next: afterMapping(config, creation) };
}

function newFlags(config: Config): string[] {
  return [...cloneFlags(config), ...(config.process.terminal ? ["CLONE_FILES"] : [])];
}

/** The process between launcher and container. What fails in it is told as what fails in the container. */
function joiner(config: Config, facts: Facts, { creation }: Setting): Section[] {
  const join = joinOptions(config, facts, creation);
  if (join === undefined) return [];
  const acts = planJoin(join, planJoinsBefore(config));
  return [{ side: "container", title: "the joiner", fault: "container.fault", acts }];
}

function container(config: Config, facts: Facts, setting: Setting, cgroup: CgroupActs): Section {
  const hasNamespace = config.linux.namespaces.some(({ type }) => type === "cgroup");
  const mounting = { config, facts, setting, cgroupView: viewMounts(facts, cgroup, hasNamespace) };
  const filter = planSeccomp(config, facts, setting.filter);
  const preserved = planPreserved(setting.preserved);
  // A launcher is there while the container is created: it hands the listener over then.
  const early = hasListener(config) && setting.creation !== undefined ? [...preserved, ...filter] : [];
  const acts: Act[] = [
    // The limits hold from here on: whatever is done for the container is done on its account.
    ...cgroup.join,
    ...(isNew(config, "user") ? [planWaitForMaps()] : []),
    ...planSession(isWatched(setting)),
    // The host's /dev/null: the container's is not there yet.
    ...(setting.interactive || config.process.terminal
      ? []
      : [setting.detachment?.input === undefined ? planEmptyInput() : planInput()]),
    // One with a terminal gets that later, and shares its descriptors with the launcher until then.
    ...(setting.detachment === undefined || config.process.terminal ? [] : [planLogStreams(setting.detachment)]),
    ...planPolicies(config),
    // After the cgroup was entered, for it becomes the root of the cgroup namespace.
    ...planNamespaces(config, joinedUser(config) !== undefined),
    ...(isNew(config, "user") ? [] : takeNetwork(config, setting, OWN_NETWORK, "container.fault")),
    ...planNetAddresses(config),
    ...setting.network?.within ?? [],
    planPropagation(config, facts, setting),
    ...planBindSources(config.mounts, facts, mountKey),
    ...planCgroupSources(mounting, mountKey),
    ...planRootfs(config, facts, setting),
    ...(isNew(config, "user") || joinedUser(config) !== undefined ? [planBecomeRoot()] : []),
    ...planKeyring(config, setting),
    ...planMounts(mounting),
    // Before any of what follows can be in their way, or they in its: it is done to the rootfs as they leave it.
    ...planCreateHooks(config, setting),
    ...planOomScore(config),
    ...planLabels(config),
    // Before /proc/sys becomes read-only, and with the host's own /proc and /dev/null, which nobody inside can replace.
    ...planSysctls(config, facts),
    ...planProtectedPaths(config, facts),
    ...planPivot(config, facts, setting),
    ...planNames(config),
    ...planDirectory(config),
    ...planLimits(config, facts),
    ...planIdentity(config, facts),
    resetSignals(isWatched(setting)),
    planDirectoryCheck(config),
    ...(config.process.terminal && setting.creation?.consoleSocket !== undefined ? [planHandOver()] : []),
    ...(config.process.terminal ? [planStreams(config)] : []),
    ...(early.length === 0 ? [] : planLeaveAgent(config)),
    ...(setting.creation === undefined
      ? []
      : planWaitForStart(config, { filter: early, report: setting.creation.report })),
    ...planStartHooks(config, setting, early.length === 0 ? filter : []),
    ...(early.length === 0 ? [planCloseLock(), ...preserved] : []),
    ...(setting.init ? [planInitFile(config, facts.arch)] : []),
    // Nothing but the exec comes after it, whatever it forbids.
    ...(early.length === 0 ? filter : []),
    setting.init ? planInit(config) : planExec(config),
    planContainerFault(setting.creation === undefined ? [] : planStartReport(setting.creation)),
  ];
  return { side: "container", title: "the container", fault: "container.fault", acts: labelFirst(acts, "container") };
}

/** What the container gets of the host's network, by the launcher's sockets. */
function takeNetwork(config: Config, setting: Setting, namespace: readonly Step[], fault: string): Act[] {
  return [...planMove(config, namespace, fault), ...setting.network?.connect(namespace, fault) ?? []];
}

/** Between the clone and the exec, for a user namespace: the part that takes the host's root. */
function mapping(config: Config, facts: Facts, setting: Setting): Section {
  const acts = [
    ...labelFirst(
      planMapping(config, facts, setting, takeNetwork(config, setting, CHILD_NETWORK, "mapping.fault")),
      "mapping",
    ),
    mark("mapped", afterMapping(config, setting.creation)),
    planMappingFault(),
  ];
  return { side: "launcher", title: "while the container waits", fault: "mapping.fault", acts };
}

/** Between the clone and the pivot: hooks that are run outside. */
function runtimeHooks(config: Config, setting: Setting): Section[] {
  if (!awaitsHooks(config)) return [];
  const acts = planRuntimeHooks(config, setting);
  return [{ side: "launcher", title: "while the container waits for hooks", fault: hooksFault("prestart"), acts }];
}

function watch(config: Config, facts: Facts, setting: Setting, cgroup: CgroupActs): Section[] {
  const { creation } = setting;
  const created = creation === undefined ? [] : [
    planAwaitReady("created", awaitsHooks(config) ? AT_HOOKS : 1),
    ...(setting.listener === undefined ? [] : planListener(config, setting.listener, "listener", "unready")),
    ...planScopeTaken(setting),
    ...planCreated(setting, creation),
  ];
  if (!isWatched(setting)) {
    const title = "once the container is created";
    return creation?.then === "detach"
      ? followed(config, setting, title, [...created, planBegan()], [planLeave()])
      : [{ side: "launcher", title, fault: "launcher.fault", acts: created }];
  }
  const loop = config.process.terminal
    ? planRelay(facts, setting)
    : planWatch({ freeze: cgroup.freeze ?? [], thaw: cgroup.thaw ?? [] }, setting);
  const letGo = setting.detachment === undefined ? [] : [
    planLetGo(setting.detachment, config.process.terminal === true),
    ...(setting.detachment.restart === undefined ? [] : [planBeginning(setting.detachment.restart)]),
  ];
  const started = [
    ...created,
    ...planStarted(setting, [
      ...(setting.journal === undefined ? [] : [planStartEvent(setting.journal)]),
      ...letGo,
    ]),
    ...(creation === undefined ? planScopeTaken(setting) : []),
    ...planShiftedRelease(config, mountKey),
  ];
  return followed(config, setting, "while the container lives", started, loop);
}

/** What the launcher does once the command has begun, with the hooks that come first. */
function followed(
  config: Config,
  setting: Setting,
  title: string,
  started: readonly Act[],
  then: readonly Act[],
): Section[] {
  const section = (acts: readonly Act[], fault = "launcher.fault"): Section => ({
    side: "launcher",
    title,
    fault,
    acts,
  });
  const hooks = planPoststartHooks(config, setting);
  if (hooks.length === 0) return [section([...started, ...then])];
  return [section(started), section(hooks, hooksFault("poststart")), section(then)];
}

function cleanUp(config: Config, setting: Setting, cgroup: CgroupActs): Section {
  if (!isWatched(setting)) {
    // Whoever starts it cleans up after it.
    return { side: "launcher", title: "after the container", fault: "exit", acts: planExit(setting).slice(-1) };
  }
  const restart = setting.detachment?.restart;
  if (restart !== undefined) return startAgain(config, setting, cgroup, restart);
  return {
    side: "launcher",
    title: "after the container",
    fault: "launcher.fault",
    acts: [
      planExitCode(setting),
      ...setting.network?.after ?? [],
      ...cgroup.remove,
      ...planRemoval(config, setting, "leftovers"),
      ...(setting.journal === undefined || setting.keep ? [] : [planEndEvents(setting.journal)]),
      ...planExit(setting),
    ],
  };
}

/** It is kept: when it is not started again paddock records its end, and nothing of it is removed here. */
function startAgain(config: Config, setting: Setting, cgroup: CgroupActs, restart: RestartPlan): Section {
  const clean = [...cgroup.remove, ...setting.network?.again ?? [], ...planUnmount(config, setting)];
  const back = planReturn(config, joinedUser(config) !== undefined);
  return {
    side: "launcher",
    title: "after the container",
    fault: "launcher.fault",
    acts: [
      planExitCode(setting, "restart"),
      ...planRestart(setting, restart, clean, back),
      ...planExit(setting).slice(-1),
    ],
  };
}

function handOver(
  config: Config,
  setting: Setting,
  cgroup: CgroupActs,
  finish: NonNullable<Setting["finish"]>,
): Section {
  const [outcome, execute] = planFinish(setting, finish, setting.cached === undefined ? "leftovers" : "outcome");
  return {
    side: "launcher",
    title: "when there is something to tell or to clean",
    fault: "exit",
    acts: [
      planLauncherFault(),
      ...(setting.cached === undefined ? [] : tryAnew(config, setting, cgroup, setting.cached)),
      outcome!,
      ...planReturn(config, joinedUser(config) !== undefined),
      execute!,
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

/** The half of a launcher that the caller waits for. */
function attend(setting: Setting): Section {
  return { side: "launcher", title: "meanwhile, before the caller", fault: "exit", acts: [planAttend(setting.id)] };
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
