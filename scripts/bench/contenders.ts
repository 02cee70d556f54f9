/**
 * What is measured against what: paddock in its three forms, an empty start of Deno, and the peers that this host has,
 * each running one command of the same root filesystem with as much isolation as it can be given.
 *
 * @module
 */
import { existsSync } from "@std/fs";
import { join } from "@std/path";
import type { Command } from "./stopwatch.ts";

/** One way to run a command in a container. */
export interface Contender {
  readonly name: string;
  readonly version: string;
  /** The command line for a command in the container. */
  command(words: readonly string[]): Command;
}

/** Those that are here, and what is missing. */
export interface Field {
  readonly floor: Contender;
  readonly run: Contender;
  /** The same, worked out each time as at first: nothing is taken from the cache. */
  readonly anew: Contender;
  readonly launcher: Contender;
  readonly peers: readonly Contender[];
  readonly missing: readonly string[];
}

/** Where the field stands. */
export interface Ground {
  /** A directory to write into. */
  readonly home: string;
  /** The root filesystem, the bench's own. */
  readonly rootfs: string;
  /** The words that start paddock. */
  readonly paddock: readonly string[];
}

/** The environment of every command that is measured. */
export const ENV = { PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", HOME: "/root" };
const MEMORY = 100 * 1024 * 1024;

/** Nothing is looked for, fetched or cached. */
const DENO_FLAGS = ["run", "--no-config", "--no-lock", "--no-remote", "--no-npm", "--cached-only", "-A"];

/** Looks for them all. */
export async function gather(ground: Ground): Promise<Field> {
  const found = await Promise.all([findRunc(ground), findBubblewrap(ground), findPodman(ground)]);
  return {
    floor: emptyDeno(ground),
    run: paddockRun(ground, "paddock run", {}),
    anew: paddockRun(ground, "a first paddock run", { PADDOCK_ANEW: "1" }),
    launcher: launcher(ground),
    peers: found.filter((one) => typeof one !== "string"),
    missing: found.filter((one) => typeof one === "string"),
  };
}

/** The words that start paddock with its state in the bench's directory. */
export function paddockWords({ home, paddock }: Ground, [verb, ...words]: readonly string[]): string[] {
  return [...paddock, verb!, "--root", join(home, "run"), "--data-root", join(home, "data"), ...words];
}

function paddockRun(ground: Ground, name: string, env: Readonly<Record<string, string>>): Contender {
  return {
    name,
    version: "",
    command: (words) => ({
      words: paddockWords(ground, ["run", "--memory", "100m", ground.rootfs, ...words]),
      env: { ...ENV, ...env },
    }),
  };
}

/** Compiled when it is asked for. */
function launcher(ground: Ground): Contender {
  return {
    name: "launcher",
    version: "",
    command: (words) => {
      const file = join(ground.home, `launcher-${words.join("-").replaceAll("/", "_")}`);
      const [paddock, ...args] = paddockWords(ground, [
        "compile",
        "-o",
        file,
        "--memory",
        "100m",
        ground.rootfs,
        ...words,
      ]);
      const { success, stderr } = new Deno.Command(paddock!, { args }).outputSync();
      if (!success) throw new Error(new TextDecoder().decode(stderr).trim());
      return { words: [file], env: ENV };
    },
  };
}

/** The floor of any verb: the runtime starts, and has nothing to do. */
function emptyDeno({ home }: Ground): Contender {
  const script = join(home, "empty.js");
  Deno.writeTextFileSync(script, "");
  const words = [Deno.execPath(), ...DENO_FLAGS, script];
  const env = { ...ENV, DENO_NO_UPDATE_CHECK: "1", DENO_NO_PACKAGE_JSON: "1" };
  return { name: "empty Deno", version: Deno.version.deno, command: () => ({ words, env }) };
}

/** runc's default spec, with a limit on memory. */
async function findRunc(ground: Ground): Promise<Contender | string> {
  const path = findProgram("runc");
  if (path === undefined) return "runc";
  let count = 0;
  return {
    name: "runc run",
    version: await firstLine(path, "--version"),
    command: (words) => {
      const bundle = writeBundle(ground, words);
      return { words: [path, "run", "--bundle", bundle, `paddock-bench-${Deno.pid}-${count++}`], env: ENV };
    },
  };
}

/** A bundle of runc's default spec, with a limit on memory; gives its directory. @param words what it runs */
export function writeBundle({ home, rootfs, paddock }: Ground, words: readonly string[]): string {
  const directory = Deno.makeTempDirSync({ dir: home, prefix: "bundle-" });
  const [file, ...args] = [...(findProgram("runc") === undefined ? paddock : [findProgram("runc")!]), "spec"];
  new Deno.Command(file!, { args, cwd: directory }).outputSync();
  const path = join(directory, "config.json");
  const config = JSON.parse(Deno.readTextFileSync(path));
  config.process.terminal = false;
  config.process.args = words;
  config.root.path = rootfs;
  config.linux.resources.memory = { limit: MEMORY };
  Deno.writeTextFileSync(path, JSON.stringify(config));
  return directory;
}

/** Every namespace, the same mounts, and what paddock masks masked; it has no cgroups. */
async function findBubblewrap({ rootfs }: Ground): Promise<Contender | string> {
  const path = findProgram("bwrap");
  if (path === undefined) return "bwrap";
  const files = ["acpi", "asound", "scsi"].filter((name) => existsSync(`/proc/${name}`));
  const masked = ["interrupts", "kcore", "keys", "latency_stats", "sched_debug", "timer_list"]
    .filter((name) => existsSync(`/proc/${name}`));
  const args = [
    ...["--unshare-all", "--hostname", "bench", "--new-session", "--die-with-parent", "--cap-drop", "ALL"],
    ...["--bind", rootfs, "/", "--proc", "/proc", "--dev", "/dev", "--mqueue", "/dev/mqueue"],
    ...["--ro-bind", "/sys", "/sys", "--tmpfs", "/sys/firmware"],
    ...["resolv.conf", "hosts", "hostname"].filter((name) => existsSync(`/etc/${name}`))
      .flatMap((name) => ["--ro-bind", `/etc/${name}`, `/etc/${name}`]),
    ...files.flatMap((name) => ["--tmpfs", `/proc/${name}`]),
    ...masked.flatMap((name) => ["--ro-bind", "/dev/null", `/proc/${name}`]),
  ];
  return {
    name: "bwrap",
    version: await firstLine(path, "--version"),
    command: (words) => ({ words: [path, ...args, ...words], env: ENV }),
  };
}

/** As podman does it, without a network. Limits of its own that not every host allows are those of its caller. */
async function findPodman({ rootfs }: Ground): Promise<Contender | string> {
  const path = findProgram("podman");
  if (path === undefined) return "podman";
  const ulimits = ["--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1024:1024"];
  const args = ["run", "--rm", "--network", "none", "--memory", "100m", ...ulimits, "--rootfs", rootfs];
  return {
    name: "podman run",
    version: await firstLine(path, "--version"),
    command: (words) => ({ words: [path, ...args, ...words], env: ENV }),
  };
}

/** Where a command is; undefined where it is not. */
export function findProgram(name: string): string | undefined {
  return ENV.PATH.split(":").map((directory) => join(directory, name)).find((path) => existsSync(path));
}

/** What a program prints about its version, from the first digit. */
export async function firstLine(path: string, flag: string): Promise<string> {
  const { stdout } = await new Deno.Command(path, { args: [flag], stderr: "null" }).output();
  return new TextDecoder().decode(stdout).split("\n")[0]!.replace(/^.*?(?=\d)/, "");
}
