/**
 * What a test needs of its host, declared. Where it is not there the test is ignored, says why, and is listed at the
 * end of the run, so that a green run that tested nothing is visible.
 *
 *     Deno.test({ name: "…", ...requires("root", "overlay"), fn: async () => { … } });
 *
 * @module
 */

/** An ability of a host; `peer:NAME` and `tool:NAME` are commands. */
export type Ability =
  | "root"
  | "cgroup"
  | "cgroup:v1"
  | "cgroup:v2"
  | "memory"
  | "swap"
  | "overlay"
  | "userns"
  | "terminal"
  | "network"
  | "systemd"
  | "host"
  | "guest"
  | `guest:${string}`
  | "disk"
  | "built"
  | `controller:${string}`
  | `peer:${string}`
  | `tool:${string}`;

/** For the definition of a test: `ignore`, false where the host has all of it. */
export function requires(...abilities: readonly Ability[]): { readonly ignore: boolean } {
  const missing = missingAbilities(abilities);
  if (missing.length === 0) return { ignore: false };
  note(missing);
  return { ignore: true };
}

/** What is missing, each with the reason; none where all is there. */
export function missingAbilities(abilities: readonly Ability[]): string[] {
  return abilities.flatMap((ability) => {
    const reason = reasonAgainst(ability);
    return reason === undefined ? [] : [`${ability}: ${reason}`];
  });
}

const CHECKS: Readonly<Record<string, (argument: string) => string | undefined>> = {
  root: () => Deno.uid() === 0 ? undefined : "not root",
  cgroup: (version) => {
    if (version === "") return readMounts().some(({ type }) => type.startsWith("cgroup")) ? undefined : "none mounted";
    if (version === "v1") return readMounts().some(({ type }) => type === "cgroup") ? undefined : "no v1 hierarchy";
    return readMounts().some(({ type }) => type === "cgroup2") ? undefined : "no unified hierarchy";
  },
  controller: (name) => hasController(name) ? undefined : `no hierarchy serves ${name}`,
  memory: () => hasController("memory") ? undefined : "no hierarchy serves memory",
  swap: () => /^SwapTotal:\s+[1-9]/m.test(Deno.readTextFileSync("/proc/meminfo")) ? undefined : "no swap space",
  overlay: () => /\boverlay$/m.test(readOr("/proc/filesystems")) ? undefined : "no overlay filesystem",
  userns: () => readOr("/proc/sys/user/max_user_namespaces").trim() === "0" ? "forbidden" : undefined,
  terminal: () => isThere("/dev/ptmx") ? undefined : "no /dev/ptmx",
  network: () => Deno.env.get("PADDOCK_TEST_NETWORK") === "1" ? undefined : "PADDOCK_TEST_NETWORK=1 allows it",
  systemd: () => isThere("/run/systemd/private") ? undefined : "its first process is not systemd",
  // For what does not depend on the layout of cgroups, in a file where other tests do: a call takes seconds in a guest.
  host: () =>
    Deno.env.get("PADDOCK_GUEST") === undefined || Deno.env.get("PADDOCK_TEST_ALL") === "1"
      ? undefined
      : "in a guest only with PADDOCK_TEST_ALL=1",
  guest: (layout) => {
    const guest = Deno.env.get("PADDOCK_GUEST");
    if (guest === undefined) return "not in a virtual machine of scripts/vm";
    return layout === "" || layout === guest ? undefined : `this is a ${guest} guest`;
  },
  disk: () => findDisk() === undefined ? "no disk" : undefined,
  built: () => Deno.env.get("PADDOCK_BIN") !== undefined ? undefined : "PADDOCK_BIN names no built paddock",
  peer: hasCommand,
  tool: hasCommand,
};

function reasonAgainst(ability: Ability): string | undefined {
  const [kind, argument = ""] = ability.split(":", 2);
  return CHECKS[kind!]!(argument);
}

/** The runner collects these lines from every test process (PADDOCK_TEST_IGNORED names the file). */
function note(missing: readonly string[]): void {
  const file = Deno.env.get("PADDOCK_TEST_IGNORED");
  const text = missing.join(", ");
  if (file === undefined) console.warn(`ignored, since this host lacks ${text}`);
  else Deno.writeTextFileSync(file, `${text}\n`, { append: true });
}

interface Mount {
  readonly type: string;
  readonly options: string;
  readonly target: string;
}

function readMounts(): Mount[] {
  return Deno.readTextFileSync("/proc/mounts").trimEnd().split("\n").map((line) => {
    const [, target = "", type = "", options = ""] = line.split(" ");
    return { target, type, options };
  });
}

/**
 * By the names of v1. In a unified hierarchy blkio is io; devices and freezer are no controllers there, and what they do
 * is there where no hierarchy of v1 does it.
 */
function hasController(name: string): boolean {
  const mounts = readMounts();
  if (mounts.some(({ type, options }) => type === "cgroup" && options.split(",").includes(name))) return true;
  const unified = mounts.find(({ type }) => type === "cgroup2");
  if (unified === undefined) return false;
  if (name === "devices" || name === "freezer") return true;
  const controllers = readOr(`${unified.target}/cgroup.controllers`).split(/\s/);
  return controllers.includes(name === "blkio" ? "io" : name);
}

function hasCommand(name: string): string | undefined {
  const directories = [...(Deno.env.get("PATH") ?? "").split(":"), "/usr/sbin", "/sbin"];
  return directories.some((directory) => isThere(`${directory}/${name}`)) ? undefined : "not installed";
}

function readOr(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** A disk: the guest's spare one, or any of this host's. */
export function findDisk(): { path: string; numbers: string } | undefined {
  const spare = Deno.env.get("PADDOCK_GUEST_DISK");
  const rows = Deno.readTextFileSync("/proc/partitions").trim().split("\n").slice(2).map((row) =>
    row.trim().split(/\s+/)
  );
  const row = rows.find(([, , blocks, name]) =>
    spare === undefined ? Number(blocks) > 0 && /^(vd|sd|nvme\d+n)[a-z0-9]+$/.test(name!) : spare === `/dev/${name}`
  );
  return row === undefined ? undefined : { path: `/dev/${row[3]}`, numbers: `${row[0]}:${row[1]}` };
}
