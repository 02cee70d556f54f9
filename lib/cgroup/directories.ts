/**
 * Acts on a cgroup's directory: make it, enable controllers above it, fill its files, enter it, remove it, freeze it.
 *
 * @module
 */
import { type Act, AT_FDCWD, flags, previous, type Step, step, text, writeFile } from "../program/step.ts";
import type { ActsWithRegions } from "./device_acts.ts";
import { writeLines } from "./device_acts.ts";
import type { FileWrite, Setting } from "./setting.ts";

/** A container's cgroup in one hierarchy. */
export interface Hierarchy {
  readonly version: 1 | 2;
  readonly mount: string;
  /** For labels and for people: the controllers that are used here, `memory`, or `cgroup` for v2 without any. */
  readonly key: string;
  /** Absolute path of the container's directory. */
  readonly directory: string;
}

/** Directories from just below the mount point to the container's own, each in the one before. */
export function listLevels({ mount, directory }: Pick<Hierarchy, "mount" | "directory">): string[] {
  const names = directory.slice(mount.length).split("/").filter((name) => name !== "");
  return names.map((_, index) => `${mount}/${names.slice(0, index + 1).join("/")}`);
}

/**
 * Makes the directory and those above it.
 *
 * The container's own is tried first, for the ones above are nearly always there. Only if that fails are all of them
 * made in turn: one that exists is fine, except the last, which belongs to one container.
 *
 * @param mayExist the last one is fine, too.
 */
export function buildMake(hierarchy: Hierarchy, mayExist = false): Act {
  const { key, directory } = hierarchy;
  const parents = listLevels(hierarchy).slice(0, -1);
  return {
    what: `make the cgroup ${directory}`,
    why: "a cgroup is a directory: its files are the limits, and whoever is written into it is bound by them",
    shell: [...parents.slice(-1).map((parent) => `mkdir -p ${parent}`), `mkdir ${directory}`],
    steps: [
      step("mkdirat", [AT_FDCWD, text(directory), MODE], { onZero: "end", onNegative: "next" }),
      ...parents.flatMap((parent, index) => makeShared(parent, `cgroup.${key}.level${index + 1}`)),
      step("mkdirat", [AT_FDCWD, text(directory), MODE], {
        label: `cgroup.${key}.level${parents.length}`,
        ...(mayExist ? { onZero: "end", onNegative: "next" } : {}),
      }),
      ...(mayExist ? [step("@add", [previous(), EEXIST], { onZero: "end" }), again(directory)] : []),
    ],
  };
}

/** Meets what was in the way once more, and reports it. */
function again(directory: string): Step {
  return step("mkdirat", [AT_FDCWD, text(directory), MODE]);
}

const MODE = 0o755;
const EEXIST = 17;

/** mkdir that takes "exists" for done, and goes to `done`; any other failure is met again by the second mkdir, which reports it. */
function makeShared(path: string, done: string): Step[] {
  const index = Number(/\d+$/.exec(done)?.[0]);
  const start = index === 1 ? {} : { label: done.replace(/\d+$/, String(index - 1)) };
  return [
    step("mkdirat", [AT_FDCWD, text(path), MODE], { ...start, onZero: done, onNegative: "next" }),
    step("@add", [previous(), EEXIST], { onZero: done, onPositive: "next", onNegative: "next" }),
    step("mkdirat", [AT_FDCWD, text(path), MODE]),
  ];
}

/**
 * v2: makes controllers available in the container's directory by enabling them in every one above, from the mount
 * point down ("Top-down Constraint" of cgroup-v2.rst). Each controller has a write of its own, for a write of several
 * fails as a whole. One that nothing depends on may be refused.
 */
export function buildEnable(hierarchy: Hierarchy, required: readonly string[], wished: readonly string[]): Act[] {
  const above = [hierarchy.mount, ...listLevels(hierarchy).slice(0, -1)];
  return above.flatMap((directory) => {
    const path = `${directory}/cgroup.subtree_control`;
    const act = (name: string, more: Pick<Step, "onNegative">): Act => ({
      what: `enable the ${name} controller below ${directory}`,
      why: more.onNegative === undefined
        ? "a limit can be set only where every directory above hands the controller down"
        : "to see what the container uses, and why it died; where it is refused the container runs without",
      shell: [`echo +${name} > ${path}`],
      steps: more.onNegative === undefined ? writeFile(path, `+${name}`) : tryWriteFile(path, `+${name}`),
    });
    return [
      ...required.map((name) => act(name, {})),
      ...wished.filter((name) => !required.includes(name)).map((name) => act(name, { onNegative: "end" })),
    ];
  });
}

/** Writes one setting into the container's directory. */
export function buildSetting({ key, directory }: Hierarchy, setting: Setting, index: number): Act {
  return {
    what: setting.what,
    why: setting.why,
    shell: setting.writes.flatMap(({ files }) => {
      const file = files[0]!;
      return file.data.map((line) => `echo ${quote(line)} > ${directory}/${file.name}`);
    }),
    steps: setting.writes.flatMap((write, place) => buildWrite(directory, write, `cgroup.${key}.${index}.${place}`)),
  };
}

/** Opens the first of the files that is there, and writes its lines; a file that may be missing is passed over. */
function buildWrite(directory: string, { files, optional }: FileWrite, label: string): Step[] {
  const done = `${label}.done`;
  const steps: Step[] = [];
  files.forEach(({ name, data }, index) => {
    const start = index === 0 ? {} : { label: `${label}.${index}` };
    const isLast = index === files.length - 1;
    const otherwise = !isLast ? { onNegative: `${label}.${index + 1}` } : optional === true ? { onNegative: done } : {};
    const [open, ...rest] = writeLines(`${directory}/${name}`, data);
    const close = rest.pop()!;
    steps.push({ ...open!, ...start, ...otherwise }, ...rest, { ...close, onZero: done });
  });
  if (files.length === 1 && optional !== true) return steps.map(({ onZero: _, ...rest }) => rest);
  return [...steps, step("@add", [0, 0], { label: done })];
}

function quote(word: string): string {
  return /^[\w.:+/-]+$/.test(word) ? word : `'${word}'`;
}

/**
 * v1 cpuset: a new directory has no processors and no memory nodes, and no process may enter it. Each level takes its
 * parent's, in the order of the levels, unless somebody has narrowed it before (cpusets.rst, section 1.4).
 */
export function buildInheritCpuset(hierarchy: Hierarchy): ActsWithRegions {
  const levels = [hierarchy.mount, ...listLevels(hierarchy)];
  const acts = levels.slice(1).map((directory, index): Act => ({
    what: `give ${directory} the processors and memory nodes of its parent`,
    why: "a new directory of v1's cpuset has none, and nothing may run in it",
    shell: FILES.map((file) => `cat ${levels[index]}/${file} > ${directory}/${file}`),
    steps: FILES.flatMap((file) => copyIfEmpty(`${levels[index]}/${file}`, `${directory}/${file}`, `${index}.${file}`)),
  }));
  return { acts, regions: { [CPUSET]: { size: CPUSET_SIZE } } };
}

const FILES = ["cpuset.cpus", "cpuset.mems"] as const;
const CPUSET = "cgroup.cpuset";
const CPUSET_SIZE = 4096;

function copyIfEmpty(from: string, to: string, name: string): Step[] {
  const done = `cgroup.cpuset.${name}.done`;
  const read = (path: string): Step[] => [
    step("openat", [AT_FDCWD, text(path), flags("O_RDONLY", "O_CLOEXEC")]),
    step("read", [previous(), { region: CPUSET }, CPUSET_SIZE]),
    step("close", [previous(2)]),
  ];
  return [
    ...read(to),
    // An empty list reads as a newline alone.
    step("@sub", [previous(2), 1], { onPositive: done, onZero: "next", onNegative: "next" }),
    ...read(from),
    step("openat", [AT_FDCWD, text(to), flags("O_WRONLY", "O_CLOEXEC")]),
    step("write", [previous(), { region: CPUSET }, previous(3)]),
    step("close", [previous(2)]),
    step("@add", [0, 0], { label: done }),
  ];
}

/**
 * Enters the cgroup: "0" is the process that writes.
 *
 * In v1 it goes into `tasks`, which moves a thread, and not into `cgroup.procs`, which moves all threads of a process:
 * the child has one, and so the kernel need not stop every fork and exit on the host (`cgroup_threadgroup_rwsem`), the
 * dear part of a migration. v2 moves single threads only within one domain, so there it is `cgroup.procs`.
 */
export function buildJoin({ version, directory }: Hierarchy): Act {
  const path = `${directory}/${version === 1 ? "tasks" : "cgroup.procs"}`;
  return {
    what: `enter the cgroup ${directory}`,
    why:
      "before anything else, so that whatever the container does counts, and everything that it starts is born in there",
    shell: [`echo $$ > ${path}`],
    steps: writeFile(path, "0"),
  };
}

/** Removes the directory; where the kernel refuses, the monitor has more to do. */
export function buildRemove({ directory }: Hierarchy): Act {
  return {
    what: `remove the cgroup ${directory}`,
    why: "its processes are gone, and nothing of the container shall stay behind",
    shell: [`rmdir ${directory}`],
    steps: [step("unlinkat", [AT_FDCWD, text(directory), flags("AT_REMOVEDIR")], { onNegative: "leftovers" })],
  };
}

/** Leaves the unit to be stopped by systemd, which would take one whose directory is gone for running still. */
export function buildLeave(name: string): Act {
  return {
    what: `have systemd stop ${name}`,
    why: "the directories are its own to remove, and the launcher cannot speak to it: paddock does",
    shell: [`systemctl stop ${name}`],
    steps: [step("@add", [0, 0], { onZero: "leftovers" })],
  };
}

/** Steps that stop (true) or continue every process of the cgroup at once; failing, they change nothing. */
export function buildFreeze({ version, directory }: Hierarchy, frozen: boolean): Step[] {
  if (version === 1) return tryWriteFile(`${directory}/freezer.state`, frozen ? "FROZEN" : "THAWED");
  return tryWriteFile(`${directory}/cgroup.freeze`, frozen ? "1" : "0");
}

/** As `writeFile`, and goes on to the step after them whatever fails. */
function tryWriteFile(path: string, data: string): Step[] {
  return writeFile(path, data).map((step) => ({ ...step, onNegative: "next" }));
}
