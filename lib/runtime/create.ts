/**
 * `paddock create`: a container from a bundle, set up and waiting to be started (runtime-spec runtime.md, create).
 *
 * ```
 * config.json ─ parse, validate ─▶ Config, Setting ─ planContainer ─▶ Plan ─ assemble ─ becomeLauncher
 * ```
 *
 * The launcher takes this process's place, and ends when the container waits for its start (`lib/plan/created.ts`); for
 * `run` of a bundle it starts the container itself, and stays until its end or, detached, does not.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import { probeHost } from "../host/probe.ts";
import { isFrozen, listProcesses } from "../kernel/cgroup.ts";
import { becomeLauncher } from "../kernel/launch.ts";
import { selfCommand } from "../kernel/self.ts";
import { isThere, must } from "../kernel/syscall.ts";
import { planContainer } from "../plan/build.ts";
import { FIRST_FD, PRESERVED_FD } from "../plan/descriptors.ts";
import { KEPT_FILE } from "../plan/freshness.ts";
import { awaitsExec, hasHooks } from "../plan/hooks.ts";
import { listResctrl } from "../plan/intel_rdt.ts";
import { sessionKeyring } from "../plan/keyring.ts";
import { LOCK_FD, type Setting } from "../plan/setting.ts";
import { assemble } from "../program/assemble.ts";
import type { CgroupManager } from "../base/cgroup_managers.ts";
import type { Config } from "../spec/config.ts";
import { writeConfigText } from "../spec/config_text.ts";
import { type BundleConfig, readBundleConfig } from "../spec/bundle.ts";
import { EXEC_FIFO, START_REPORT } from "../state/bundle_container.ts";
import { createContainer, type OwnedContainer, RECORD_FILE } from "../state/container.ts";
import type { Roots } from "../state/root.ts";
import { type Given, type Handed, takeDescriptors, withVariables } from "./descriptors.ts";
import { findPresent } from "./find_present.ts";
import { withHome } from "./home.ts";
import { compileFilter } from "./filter.ts";
import { prepareCgroup } from "./prepare_cgroup.ts";
import { requireRoot } from "./require_root.ts";
import type { Voice } from "./voice.ts";

/** What `create` is told. */
export interface CreateOptions extends Roots {
  readonly id: string;
  /** Directory with `config.json`, absolute. */
  readonly bundle: string;
  /** The file in place of the bundle's `config.json`, absolute. */
  readonly config?: string;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  /** For `run`: start it as well. `watch` stays in the foreground until its end. */
  readonly then?: "detach" | "watch";
  /** With `watch`: its state stays after its end, until `delete`. */
  readonly keep?: boolean;
  readonly pidfdSocket?: string;
  /** The rootfs is moved over the host's root, and not pivoted to. */
  readonly noPivot: boolean;
  /** It has the caller's session keyring. */
  readonly noNewKeyring: boolean;
  /** Descriptors that the command gets. */
  readonly given: Given;
  readonly cgroupManager: CgroupManager;
  /** Global options that `finish` is to have as well. */
  readonly passedOn: readonly string[];
}

/**
 * Creates a container; returns only when that failed.
 *
 * @throws PaddockError saying why; nothing is left behind then.
 */
export async function createFromBundle(options: CreateOptions, voice: Voice): Promise<number> {
  const facts = probeHost();
  requireRoot(facts);
  const { config, warnings } = readBundle(options, facts);
  warnings.forEach(({ path, problem }) => voice.note(`${path}: ${problem}; left out`));
  checkTerminal(config, options);
  if (config.process.absent && options.then !== undefined) {
    throw new PaddockError("process: is missing, and nothing can be run without", { hint: "create takes it" });
  }
  const handed = takeDescriptors(options.given);
  const filter = await compileFilter(config, facts);
  const owned = createContainer(options, options.id);
  try {
    return await create(options, facts, config, { filter, handed }, owned);
  } catch (error) {
    // Without a record nothing was made, and a cgroup of that name is another's.
    if (isThere(`${owned.directory}/${RECORD_FILE}`)) {
      const { eraseContainer } = await import("./erase_container.ts");
      await eraseContainer(owned, options);
    } else owned.remove();
    throw error;
  }
}

/**
 * The bundle's configuration, its paths made absolute. Where no cgroup confines devices the container can make none: a
 * node of its own would be a way to the host's disks.
 *
 * @throws PaddockError where there is none, or something in it cannot be.
 */
export function readBundle(
  { bundle, config: file = `${bundle}/config.json`, cgroupManager }:
    & Pick<CreateOptions, "bundle" | "config">
    & Partial<Pick<CreateOptions, "cgroupManager">>,
  facts: Facts,
): BundleConfig {
  const capabilities = facts.capabilities.filter((name) => cgroupManager !== "disabled" || name !== "mknod");
  const { config, warnings } = readBundleConfig(readText(file), { bundle, capabilities });
  return { config: { ...config, root: { ...config.root, path: realPath(config.root.path) } }, warnings };
}

function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (cause) {
    throw new PaddockError(`cannot read ${path}: ${(cause as Error).message}`, {
      hint: "name the bundle with --bundle, or make a configuration there: paddock spec",
      cause,
    });
  }
}

function realPath(path: string): string {
  try {
    const real = Deno.realPathSync(path);
    if (Deno.statSync(real).isDirectory) return real;
  } catch (cause) {
    throw new PaddockError(`root.path: cannot use ${path}: ${(cause as Error).message}`, { cause });
  }
  throw new PaddockError(`root.path: cannot use ${path}: not a directory`);
}

function checkTerminal({ process }: Config, { consoleSocket, then }: CreateOptions): void {
  if (then === "watch") {
    if (consoleSocket === undefined) return;
    throw new PaddockError(
      "a console socket is of no use in the foreground: the caller's terminal is the container's",
      {
        hint: "leave --console-socket out, or give --detach",
      },
    );
  }
  if (process.terminal && consoleSocket === undefined) {
    throw new PaddockError("process.terminal: a terminal needs a console socket, for nobody else could take it up", {
      hint: "give --console-socket, or set process.terminal to false",
    });
  }
  if (!process.terminal && consoleSocket !== undefined) {
    throw new PaddockError("a console socket is of no use: process.terminal is false", {
      hint: "leave --console-socket out, or set process.terminal to true",
    });
  }
}

async function create(
  options: CreateOptions,
  facts: Facts,
  config: Config,
  { filter, handed }: { readonly filter: Uint8Array | undefined; readonly handed: Handed },
  owned: OwnedContainer,
): Promise<never> {
  const fifo = `${owned.directory}/${EXEC_FIFO}`;
  const S_IFIFO = 0o010000;
  must(fifo, "mknodat", -100, fifo, S_IFIFO | 0o600, 0);
  const { count, env } = handed;
  const fallbackDirectory = `${options.dataRoot}/launchers`;
  using cgroup = await prepareCgroup(options.cgroupManager, { id: owned.id, config, facts, fallbackDirectory });
  const setting = {
    ...settingOf(options, config, owned, fifo),
    ...(filter === undefined ? {} : { filter }),
    ...(count === 0 ? {} : { preserved: count }),
    ...cgroup.setting,
  };
  // Not in the configuration that is kept: a further process may be another user's.
  const process = withHome(config.process, config.root.path, config.mounts);
  const plan = planContainer(withEnvironment({ ...config, process }, env), facts, setting);
  if (options.cgroupManager === "cgroupfs") demandEmpty(plan.cgroupPaths);
  const record = {
    id: owned.id,
    created: new Date().toISOString(),
    image: config.root.path,
    command: config.process.args,
    bundle: options.bundle,
    annotations: config.annotations,
    layers: [config.root.path],
    cgroupPaths: plan.cgroupPaths,
    resctrlPaths: listResctrl(config, facts, owned.id),
    keep: true,
    ...(options.then === "watch" ? { launcherPid: Deno.pid } : {}),
    ...(options.noNewKeyring ? { callersKeyring: true } : {}),
  };
  await cgroup.start(owned, record);
  owned.writeFile(KEPT_FILE, "");
  owned.writeFile("config.json", writeConfigText(config));
  becomeLauncher(assemble(plan), {
    title: `paddock: ${options.id}`,
    keep: { fd: owned.lock.fd, as: LOCK_FD },
    preserved: { first: FIRST_FD, count, as: PRESERVED_FD },
    fallbackDirectory,
    markDescriptors: !facts.has.close_range,
  });
}

/**
 * A cgroup may be there, made by whoever called, or left by another runtime; nobody may be in it, for they would be
 * killed with the container.
 *
 * @throws PaddockError in the words of runc.
 */
function demandEmpty(cgroupPaths: readonly string[]): void {
  const there = cgroupPaths.filter(isThere);
  const count = listProcesses(there).length;
  const hint = `see who it is in ${there[0]}/cgroup.procs, or give another linux.cgroupsPath`;
  if (count > 0) throw new PaddockError(`container's cgroup is not empty: ${count} process(es) found`, { hint });
  if (there.some(isFrozen)) throw new PaddockError("container's cgroup unexpectedly frozen", { hint });
}

/** Not in the configuration that is kept, which further processes go by. */
function withEnvironment(config: Config, env: readonly string[]): Config {
  return { ...config, process: { ...config.process, env: withVariables(config.process.env, env) } };
}

function settingOf(options: CreateOptions, config: Config, owned: OwnedContainer, fifo: string): Setting {
  const roots = ["--root", options.root, "--data-root", options.dataRoot];
  const isRun = options.then === "watch";
  const keep = !isRun || options.keep === true;
  const how = !isRun ? ["--created"] : keep ? [] : ["--delete"];
  return {
    id: owned.id,
    name: owned.id,
    rootfs: { kind: "directory", path: config.root.path, owned: true },
    stateDir: owned.directory,
    stateFiles: isRun ? ["config.json", RECORD_FILE, KEPT_FILE, "stat"] : [],
    prepared: true,
    files: {},
    present: findPresent(config.mounts.map(({ destination }) => destination), [config.root.path]),
    sources: findSources(config),
    interactive: true,
    init: false,
    finish: { argv: [...selfCommand(), ...options.passedOn, "finish", ...roots, ...how, owned.id], env: [] },
    keep,
    trace: false,
    listener: { id: owned.id, status: "creating", bundle: options.bundle, annotations: config.annotations },
    ...(options.noPivot ? { noPivot: true as const } : {}),
    keyring: options.noNewKeyring ? false : sessionKeyring(owned.id),
    bundle: options.bundle,
    creation: {
      fifo,
      ...(hasHooks(config, "poststop") ? { tells: true } : {}),
      ...(options.then === undefined && awaitsExec(config) ? { report: `${owned.directory}/${START_REPORT}` } : {}),
      pidFiles: options.pidFile === undefined ? [] : [options.pidFile],
      ...(options.consoleSocket === undefined ? {} : { consoleSocket: options.consoleSocket }),
      ...(options.then === undefined ? {} : { then: options.then }),
      ...(options.pidfdSocket === undefined ? {} : { pidfdSocket: options.pidfdSocket }),
    },
  };
}

function findSources({ mounts }: Config): Setting["sources"] {
  const binds = mounts.filter(({ type, source, options = [] }) =>
    source?.startsWith("/") && (type === "bind" || options.some((option) => /^r?bind$/.test(option)))
  );
  return Object.fromEntries(binds.map(({ source = "" }) => [source, kindOf(source)]));
}

function kindOf(path: string): "directory" | "file" {
  if (!isThere(path)) throw new PaddockError(`cannot mount ${path}: no such file or directory`);
  return Deno.statSync(path).isDirectory ? "directory" : "file";
}
