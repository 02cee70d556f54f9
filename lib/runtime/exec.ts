/**
 * `paddock exec`: a further process in a container that runs.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import { probeHost } from "../host/probe.ts";
import { becomeLauncher } from "../kernel/launch.ts";
import { selfCommand } from "../kernel/self.ts";
import { FIRST_FD, PRESERVED_FD } from "../plan/descriptors.ts";
import { type ExecSetting, planExecInto } from "../plan/exec.ts";
import { sessionKeyring } from "../plan/keyring.ts";
import { assemble } from "../program/assemble.ts";
import type { Config, Namespace, NamespaceType, Process } from "../spec/config.ts";
import { readUserFiles } from "../image/root_files.ts";
import { grantCapabilities } from "../spec/grantable.ts";
import { parseConfigText, parseProcess } from "../spec/parse.ts";
import { resolveUser } from "../spec/users.ts";
import { checkConfig } from "../spec/validate.ts";
import { COMMAND_FILE } from "../state/exec_session.ts";
import { recordEvent } from "../state/journal.ts";
import { makeDirectory, type Roots } from "../state/root.ts";
import { type LiveContainer, openLive } from "./container_processes.ts";
import { takeDescriptors } from "./descriptors.ts";
import { chooseCgroups, parseSubCgroups } from "./exec_cgroups.ts";
import { withHome } from "./home.ts";
import { compileFilter } from "./filter.ts";
import { requireRoot } from "./require_root.ts";
import type { Voice } from "./voice.ts";

/** What `exec` is told. */
export interface ExecOptions extends Roots {
  readonly id: string;
  /** File with the process as JSON, absolute. */
  readonly processFile?: string;
  /** What replaces or extends the container's own process where there is no file. */
  readonly changes: ProcessChanges;
  readonly tty: boolean;
  /** What is typed is passed on. */
  readonly interactive: boolean;
  readonly detach: boolean;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  readonly pidfdSocket?: string;
  /** How many descriptors from 3 on the command gets. */
  readonly preserved: number;
  /** Sub-cgroups of the container's, as `--cgroup` has them. */
  readonly cgroups: readonly string[];
  readonly ignorePaused: boolean;
  /** Global options that `finish` is to have as well. */
  readonly passedOn: readonly string[];
}

/** Flags of `exec` that make its process of the container's. */
export interface ProcessChanges {
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd?: string;
  /** `UID[:GID]`; of a container from an image names as well, by its own files. */
  readonly user?: string;
  readonly additionalGids: readonly number[];
  readonly capabilities: readonly string[];
  readonly noNewPrivileges?: boolean;
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
}

/**
 * Runs a further process; returns only when that failed.
 *
 * @throws PaddockError saying why.
 */
export async function execInContainer(options: ExecOptions, voice: Voice): Promise<number> {
  const facts = probeHost();
  requireRoot(facts);
  const seen = openRunning(options);
  const own = parseConfigText(Deno.readTextFileSync(`${seen.directory}/config.json`));
  const chosen = withHome(chooseProcess(own.process, options, seen), `/proc/${seen.pid}/root`);
  const { process, left } = grantCapabilities(chosen, facts.capabilities);
  left.forEach(({ path, problem }) => voice.note(`${path}: ${problem}; left out`));
  checkTerminal(process, options);
  takeDescriptors({ preserved: options.preserved, env: () => undefined });
  const checked = checkConfig({ ...own, process });
  // Of its own namespaces, which the checks of a bundle know nothing of.
  const config = { ...checked, linux: { ...own.linux, namespaces: joinAll(own, seen) } };
  const filter = await compileFilter(config, facts);
  const session = `${seen.directory}/exec/${Deno.pid}`;
  makeDirectory(`${seen.directory}/exec`);
  makeDirectory(session);
  Deno.writeTextFileSync(`${session}/${COMMAND_FILE}`, JSON.stringify(process.args), { mode: 0o600 });
  recordEvent(options.root, `exec_start: ${process.args.join(" ")}`, seen.record);
  start(options, facts, config, seen, { session, filter });
}

function openRunning({ id, ignorePaused, ...roots }: ExecOptions): LiveContainer {
  const seen = openLive(id, roots);
  if (seen.status === "paused" && !ignorePaused) throw new PaddockError("cannot exec in a paused container");
  if (seen.status === "restarting") {
    throw new PaddockError(`cannot exec in container '${id}': it has ended, and is about to be started again`, {
      hint: `what it said: paddock logs ${id}`,
    });
  }
  if (!["created", "running", "paused"].includes(seen.status)) {
    throw new PaddockError("cannot exec in a stopped container");
  }
  return seen;
}

function chooseProcess(own: Process, { processFile, changes, tty }: ExecOptions, seen: LiveContainer): Process {
  if (processFile !== undefined) {
    const given = parseProcess(JSON.parse(Deno.readTextFileSync(processFile)));
    // Nothing said is the container's own sets, as with runc, and never those of the host's root.
    return { ...given, capabilities: given.capabilities ?? own.capabilities ?? {} };
  }
  if (changes.args.length === 0) throw new PaddockError("exec needs a command, or --process");
  const { consoleSize: _, ...rest } = own;
  const { user, env } = chooseUser(own, changes, seen);
  const more = changes.capabilities;
  const widen = (set: readonly string[] = []) => [...new Set([...set, ...more])];
  return {
    ...rest,
    terminal: tty,
    args: changes.args,
    env: extend(env, changes.env),
    ...(changes.cwd === undefined ? {} : { cwd: changes.cwd }),
    user: { ...user, additionalGids: [...(user.additionalGids ?? []), ...changes.additionalGids] },
    ...(changes.noNewPrivileges === undefined ? {} : { noNewPrivileges: changes.noNewPrivileges }),
    ...(changes.apparmorProfile === undefined ? {} : { apparmorProfile: changes.apparmorProfile }),
    ...(changes.selinuxLabel === undefined ? {} : { selinuxLabel: changes.selinuxLabel }),
    ...(more.length === 0 ? {} : {
      capabilities: {
        ...own.capabilities,
        bounding: widen(own.capabilities?.bounding),
        effective: widen(own.capabilities?.effective),
        permitted: widen(own.capabilities?.permitted),
      },
    }),
  };
}

/** A word without a value takes the variable away: it is to be as it is here, where it is not set. */
function extend(env: readonly string[], more: readonly string[]): string[] {
  const gone = more.filter((entry) => !entry.includes("="));
  const left = env.filter((entry) => !gone.some((name) => entry.startsWith(`${name}=`)));
  return [...left, ...more.filter((entry) => entry.includes("="))];
}

/** The user, and the variables that follow from that. */
function chooseUser(
  { user, env }: Process,
  changes: ProcessChanges,
  { pid, record }: LiveContainer,
): Pick<Process, "user" | "env"> {
  if (changes.user === undefined) return { user, env };
  if (record.bundle !== undefined) return { user: { ...user, ...readUserIds(changes.user) }, env };
  // By the files that it has now, as the kernel looks them up in its root.
  const { home, ...ids } = resolveUser(changes.user, [], readUserFiles([`/proc/${pid}/root`]));
  return { user: { ...user, ...ids }, env: [...env.filter((entry) => !entry.startsWith("HOME=")), `HOME=${home}`] };
}

/** Numbers, as runc has it; anything odd is refused, for it decides whose rights a process has (CVE-2026-30892). */
function readUserIds(text: string): { uid: number; gid: number } {
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  const [uid, gid] = [Number(match?.[1]), Number(match?.[2] ?? 0)];
  if (match === null || uid > LAST_ID || gid > LAST_ID) {
    throw new PaddockError(`'${text}' is not of the form UID[:GID]`, { hint: "numbers, such as 1000:1000" });
  }
  return { uid, gid };
}

/** 2^32 - 1 means "no change" to the kernel. */
const LAST_ID = 2 ** 32 - 2;

function checkTerminal({ terminal }: Process, { detach, consoleSocket }: ExecOptions): void {
  if (terminal && detach && consoleSocket === undefined) {
    throw new PaddockError("a detached process with a terminal needs a console socket", {
      hint: "give --console-socket, or leave --detach out",
    });
  }
  if (consoleSocket !== undefined && !(terminal && detach)) {
    throw new PaddockError("a console socket is for a detached process with a terminal", {
      hint: "leave --console-socket out, or give --detach and --tty",
    });
  }
}

const FILES: Readonly<Record<NamespaceType, string>> = {
  mount: "mnt",
  network: "net",
  pid: "pid",
  ipc: "ipc",
  uts: "uts",
  user: "user",
  cgroup: "cgroup",
  time: "time",
};

/** Every namespace that the container has of its own, or shares with somebody: where its first process is. */
function joinAll({ linux: { namespaces } }: Config, { pid }: LiveContainer): Namespace[] {
  return namespaces.map(({ type }) => ({ type, path: `/proc/${pid}/ns/${FILES[type]}` }));
}

function start(
  options: ExecOptions,
  facts: Facts,
  config: Config,
  seen: LiveContainer,
  { session, filter }: { readonly session: string; readonly filter: Uint8Array | undefined },
): never {
  const { root, dataRoot, detach, consoleSocket, pidFile, pidfdSocket, preserved } = options;
  const { id } = seen;
  const own = [...selfCommand(), ...options.passedOn, "finish", "--root", root, "--data-root", dataRoot];
  const setting: ExecSetting = {
    id,
    name: id,
    rootfs: { kind: "directory", path: "/" },
    stateDir: session,
    stateFiles: [COMMAND_FILE],
    prepared: false,
    files: {},
    present: new Set(),
    sources: {},
    interactive: options.interactive,
    init: false,
    finish: { argv: [...own, "--session", session, id], env: [] },
    keep: false,
    trace: false,
    ...(filter === undefined ? {} : { filter }),
    ...(preserved === 0 ? {} : { preserved }),
    listener: {
      id,
      status: "running",
      ...(seen.pid === undefined ? {} : { pid: seen.pid }),
      bundle: seen.record.bundle ?? "",
      annotations: config.annotations,
    },
    keyring: seen.record.callersKeyring ? false : sessionKeyring(id),
    joins: chooseCgroups(seen.record.cgroupPaths, parseSubCgroups(options.cgroups), facts.cgroup, seen.pid),
    detached: detach,
    pidFiles: pidFile === undefined ? [] : [pidFile],
    ...(consoleSocket === undefined ? {} : { consoleSocket }),
    ...(pidfdSocket === undefined ? {} : { pidfdSocket }),
  };
  becomeLauncher(assemble(planExecInto(config, facts, setting)), {
    preserved: { first: FIRST_FD, count: preserved, as: PRESERVED_FD },
    title: `paddock: exec ${id}`,
    fallbackDirectory: `${dataRoot}/launchers`,
    markDescriptors: !facts.has.close_range,
  });
}
