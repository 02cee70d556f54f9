/**
 * `paddock restore`: a container from the files of a checkpoint, by criu.
 *
 * ```
 * bundle ─ readBundle ─▶ Config      cgroups made, the root mounted for criu
 * criu swrk, in the cgroups ─ restore ─▶ processes, children of this one
 *   notify: setup-namespaces ─▶ hooks      orphan-pts-master ─▶ console socket      post-restore ─▶ process id
 * then this process ends (detached), or becomes a launcher that watches over it (`lib/plan/restored.ts`)
 * ```
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import type { CgroupActs } from "../../cgroup/acts.ts";
import { placeCgroup } from "../../cgroup/place.ts";
import { planCgroup } from "../../cgroup/plan.ts";
import type { Facts } from "../../host/facts.ts";
import { probeHost } from "../../host/probe.ts";
import { encodeText } from "../../base/byte_string.ts";
import { readControl, writeControl } from "../../kernel/cgroup.ts";
import { Fd } from "../../kernel/fd.ts";
import { AT, O, openAt, openDirectory as openPath } from "../../kernel/fs.ts";
import { makeDirectoriesInRoot, tryOpenInRoot } from "../../kernel/in_root.ts";
import { becomeLauncher, openProgram } from "../../kernel/launch.ts";
import { sendDescriptorTo } from "../../kernel/packet_socket.ts";
import { selfCommand } from "../../kernel/self.ts";
import { must, syscall } from "../../kernel/syscall.ts";
import { KEPT_FILE } from "../../plan/freshness.ts";
import { planCgroupsAlone, planRestored } from "../../plan/restored.ts";
import { LOCK_FD, type Setting } from "../../plan/setting.ts";
import { assemble } from "../../program/assemble.ts";
import type { Config } from "../../spec/config.ts";
import { writeConfigText } from "../../spec/config_text.ts";
import { isBind } from "../../spec/validate_mounts.ts";
import { createContainer, type OwnedContainer, readRecord, RECORD_FILE } from "../../state/container.ts";
import { readBundle } from "../create.ts";
import { eraseContainer } from "../erase_container.ts";
import { readHooks, runCreateRuntime } from "../hooks.ts";
import { requireRoot } from "../require_root.ts";
import type { Voice } from "../voice.ts";
import { type ImageOptions, openDirectory, openWork, readVersion, shareOptions, STREAMS_FILE } from "./checkpoint.ts";
import { listExternalNamespaces, listRestoredMounts } from "./externals.ts";
import { type CriuOptions, REQUEST } from "./messages.ts";
import { CriuSession } from "./session.ts";

/** What `restore` is told. */
export interface RestoreOptions extends ImageOptions {
  /** Directory with `config.json`, absolute. */
  readonly bundle: string;
  readonly detach: boolean;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  readonly lsmProfile?: string;
  readonly lsmMountContext?: string;
  /** Global options that `finish` is to have as well. */
  readonly passedOn: readonly string[];
}

/**
 * Restores a container. Detached it gives 0; else it does not return, unless that failed.
 *
 * @throws PaddockError saying why; nothing is left behind then.
 */
export async function restoreBundle(options: RestoreOptions, voice: Voice): Promise<number> {
  const facts = probeHost();
  requireRoot(facts);
  const { config, warnings } = readBundle({ bundle: options.bundle }, facts);
  warnings.forEach(({ path, problem }) => voice.note(`${path}: ${problem}; left out`));
  checkTerminal(config, options);
  const version = await readVersion(options.criu);
  const owned = createContainer(options, options.id);
  try {
    const cgroup = makeCgroups(config, facts, options);
    record(options, config, cgroup, owned);
    const pid = await restore(options, config, facts, { cgroup, owned, version });
    if (options.pidFile !== undefined) Deno.writeTextFileSync(options.pidFile, String(pid));
    if (options.detach) {
      owned.lock.release();
      return 0;
    }
    return watchOver(pid, options, facts, { cgroup, owned });
  } catch (error) {
    await eraseContainer(owned, options);
    throw error;
  }
}

interface Made {
  readonly cgroup: CgroupActs;
  readonly owned: OwnedContainer;
}

function checkTerminal({ process: { terminal } }: Config, { detach, consoleSocket }: RestoreOptions): void {
  if (terminal && !(detach && consoleSocket !== undefined)) {
    throw new PaddockError("process.terminal: the terminal of a restored container is sent to a console socket", {
      hint: "give --detach and --console-socket",
    });
  }
  if (!terminal && consoleSocket !== undefined) {
    throw new PaddockError("a console socket is of no use: process.terminal is false", {
      hint: "leave --console-socket out",
    });
  }
}

function makeCgroups(config: Config, facts: Facts, { id, dataRoot }: RestoreOptions): CgroupActs {
  const { cgroupsPath, resources = {} } = config.linux;
  const place = placeCgroup({ id, cgroupsPath, fromBundle: true });
  const cgroup = planCgroup({ ...place, resources, updatable: true, mayExist: true }, facts);
  if (cgroup.paths.length === 0) return cgroup;
  using program = new Fd(openProgram(assemble(planCgroupsAlone(cgroup, facts, id)), `${dataRoot}/launchers`));
  const { success } = new Deno.Command(`/proc/${Deno.pid}/fd/${program.number}`).outputSync();
  if (success) return cgroup;
  throw new PaddockError(`cannot make the cgroups of ${id}: ${cgroup.paths.join(", ")}`, {
    hint: "see whether they are there already, and what `paddock explain` says of these limits",
  });
}

function record(options: RestoreOptions, config: Config, cgroup: CgroupActs, owned: OwnedContainer): void {
  owned.writeRecord({
    id: owned.id,
    created: new Date().toISOString(),
    image: config.root.path,
    command: config.process.args,
    bundle: options.bundle,
    annotations: config.annotations,
    layers: [config.root.path],
    cgroupPaths: cgroup.paths,
    keep: true,
    ...(options.detach ? {} : { launcherPid: Deno.pid }),
  });
  owned.writeFile(KEPT_FILE, "");
  owned.writeFile("config.json", writeConfigText(config));
}

/** Gives the first process's id. */
async function restore(
  options: RestoreOptions,
  config: Config,
  facts: Facts,
  { cgroup, owned, version }: Made & { readonly version: number },
): Promise<number> {
  makeMountPoints(config);
  using stack = new DisposableStack();
  const images = stack.use(openDirectory(options.imagePath));
  const work = options.workPath === undefined ? undefined : stack.use(openWork(options.workPath));
  const namespaces = listExternalNamespaces(config, version).map(({ name, path }) => {
    const fd = stack.use(new Fd(must(path, "openat", AT.FDCWD, path, O.RDONLY, 0)));
    return [name, fd.number] as const;
  });
  const root = mountRoot(config, owned.directory, stack);
  const log = `${options.workPath ?? options.imagePath}/restore.log`;
  const request: CriuOptions = {
    ...shareOptions(options),
    imagesFd: images.number,
    ...(work === undefined ? {} : { workFd: work.number }),
    logFile: "restore.log",
    root,
    sibling: true,
    evasiveDevices: true,
    cgroupRoots: listCgroupRoots(cgroup.paths, facts),
    externalMounts: listRestoredMounts(config, cgroup.paths),
    external: [],
    inherited: [...readPipes(options.imagePath), ...namespaces],
    ...(options.lsmProfile === undefined ? {} : { lsmProfile: options.lsmProfile }),
    ...(options.lsmMountContext === undefined ? {} : { lsmMountContext: options.lsmMountContext }),
  };
  const session = CriuSession.start({ program: options.criu, streams: "inherit" });
  let pid = 0;
  try {
    cgroup.paths.forEach((path) => writeControl(`${path}/cgroup.procs`, String(session.pid)));
    const answer = session.call(
      `restore container ${options.id}`,
      REQUEST.restore,
      request,
      log,
      (script, seen, fd) => {
        if (script === "setup-namespaces") {
          runCreateRuntime(readHooks(owned.directory, owned.id, readRecord(owned.directory)), seen);
        }
        if (script === "orphan-pts-master" && fd !== undefined && options.consoleSocket !== undefined) {
          sendDescriptorTo(options.consoleSocket, fd.number, "/dev/ptmx");
        }
        if (script === "post-restore") {
          pid = seen;
          owned.writeFile("stat", readControl(`/proc/${seen}/stat`) ?? "");
          owned.writeFile("pid", String(seen));
        }
      },
    );
    pid = pid === 0 ? answer.restoredPid ?? 0 : pid;
  } finally {
    await session.finish();
  }
  if (pid === 0) throw new PaddockError(`cannot restore container ${options.id}: criu names no process`);
  return pid;
}

/** What criu mounts must have a place in the root filesystem, which may be a fresh copy. */
function makeMountPoints({ root, mounts }: Config): void {
  using top = openPath(root.path);
  for (const { destination, source = "", type, options } of mounts) {
    const path = encodeText(destination);
    const found = tryOpenInRoot(top.number, path, O.PATH);
    if (found >= 0) {
      syscall("close", found);
      continue;
    }
    if (!isBind(type, options) || Deno.statSync(source).isDirectory) {
      makeDirectoriesInRoot(top.number, path, 0o755).close();
      continue;
    }
    const slash = path.lastIndexOf("/");
    using parent = makeDirectoriesInRoot(top.number, path.slice(0, slash) || "/", 0o755);
    openAt(parent.number, path.slice(slash + 1), O.WRONLY | O.CREAT | O.EXCL | O.NOFOLLOW, 0o644).close();
  }
}

const MS_BIND_REC = 0x1000 | 0x4000;
const MNT_DETACH = 2;

/** criu wants a mount point for a root: it is one for as long as this lasts. */
function mountRoot({ root }: Config, directory: string, stack: DisposableStack): string {
  const path = `${directory}/criu-root`;
  Deno.mkdirSync(path, { mode: 0o700 });
  stack.defer(() => void syscall("unlinkat", AT.FDCWD, path, AT.REMOVEDIR));
  must(path, "mount", root.path, path, null, MS_BIND_REC, null);
  stack.defer(() => void syscall("umount2", path, MNT_DETACH));
  return path;
}

/** Each hierarchy by its controllers, v2 by none; the path is below the mount point. */
function listCgroupRoots(paths: readonly string[], { cgroup: { controllers, unified } }: Facts): [string, string][] {
  return paths.flatMap((path): [string, string][] => {
    const v1 = Object.entries(controllers).filter(([, fact]) =>
      fact.version === 1 && path.startsWith(`${fact.mount}/`)
    );
    if (v1.length > 0) return v1.map(([name, { mount }]) => [name, path.slice(mount.length)]);
    return unified === undefined ? [] : [["", path.slice(unified.mount.length)]];
  });
}

/** Pipes that the container had for standard streams are those of this process from now on. */
function readPipes(imagePath: string): [string, number][] {
  const text = readControl(`${imagePath}/${STREAMS_FILE}`);
  const links: unknown = text === undefined ? [] : JSON.parse(text);
  if (!Array.isArray(links)) return [];
  return links.slice(0, 3).flatMap((link, fd): [string, number][] =>
    typeof link === "string" && /^pipe:\[\d+\]$/.test(link) ? [[link, fd]] : []
  );
}

/** This process becomes the one that waits for it. */
function watchOver(pid: number, options: RestoreOptions, facts: Facts, { cgroup, owned }: Made): never {
  const roots = ["--root", options.root, "--data-root", options.dataRoot];
  const setting: Setting = {
    id: owned.id,
    name: owned.id,
    rootfs: { kind: "directory", path: "/" },
    stateDir: owned.directory,
    stateFiles: ["config.json", RECORD_FILE, KEPT_FILE, "stat"],
    prepared: true,
    files: {},
    present: new Set(),
    sources: {},
    interactive: true,
    init: false,
    finish: { argv: [...selfCommand(), ...options.passedOn, "finish", ...roots, "--delete", owned.id], env: [] },
    keep: false,
    trace: false,
    bundle: options.bundle,
  };
  becomeLauncher(assemble(planRestored(pid, facts, setting, cgroup)), {
    title: `paddock: ${options.id}`,
    keep: { fd: owned.lock.fd, as: LOCK_FD },
    fallbackDirectory: `${options.dataRoot}/launchers`,
    markDescriptors: !facts.has.close_range,
  });
}
