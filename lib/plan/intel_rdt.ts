/**
 * Classes of cache and memory bandwidth: `linux.intelRdt` (runtime-spec config-linux.md, IntelRdt; the kernel's
 * Documentation/filesystems/resctrl.rst).
 *
 * A class is a directory of resctrl, as a cgroup is one of its hierarchy: made by the launcher, entered by the child,
 * removed at the end where the launcher has made it.
 *
 * @module
 */
import { errnoNumber } from "../base/errno.ts";
import { PaddockError } from "../base/errors.ts";
import type { CgroupActs } from "../cgroup/acts.ts";
import type { Facts } from "../host/facts.ts";
import { type Act, AT_FDCWD, flags, previous, result, type Step, step, text, writeFile } from "../program/step.ts";
import type { Config, IntelRdt } from "../spec/config.ts";

/**
 * The acts of the cgroups, and those of the class around them.
 *
 * @param id names the class where the Config does not
 * @throws PaddockError where resctrl is not mounted
 */
export function withIntelRdt(
  cgroup: CgroupActs,
  { linux: { intelRdt } }: Config,
  facts: Facts,
  id: string,
): CgroupActs {
  if (intelRdt === undefined) return cgroup;
  const mount = facts.mounts.find(({ type }) => type === "resctrl")?.target;
  if (mount === undefined) {
    throw new PaddockError("linux.intelRdt: resctrl is not mounted here", {
      hint: "mount it (mount -t resctrl resctrl /sys/fs/resctrl) where the processor has it, or leave the field out",
    });
  }
  const directory = `${mount}/${intelRdt.closID ?? id}`;
  const group = intelRdt.enableMonitoring ? `${directory}/mon_groups/${id}` : undefined;
  return {
    ...cgroup,
    create: [...cgroup.create, makeClass(directory, intelRdt), ...(group === undefined ? [] : [makeGroup(group)])],
    join: [...cgroup.join, enter(group ?? directory)],
    remove: [
      ...cgroup.remove,
      ...(group === undefined ? [] : [remove(group, "rdt.group")]),
      remove(directory, "rdt.class"),
    ],
  };
}

/**
 * What of resctrl goes with the container, the inner first, for whoever deletes it: its monitoring group, and its class
 * where the Config does not name one, which others may share.
 */
export function listResctrl({ linux: { intelRdt } }: Config, { mounts }: Facts, id: string): string[] {
  const mount = mounts.find(({ type }) => type === "resctrl")?.target;
  if (intelRdt === undefined || mount === undefined) return [];
  const directory = `${mount}/${intelRdt.closID ?? id}`;
  return [
    ...(intelRdt.enableMonitoring ? [`${directory}/mon_groups/${id}`] : []),
    ...(intelRdt.closID === undefined ? [directory] : []),
  ];
}

/** A class of a name that was given may be there, and then belongs to others as well. */
function makeClass(directory: string, { closID, schemata = [], l3CacheSchema = "", memBwSchema = "" }: IntelRdt): Act {
  const lines = [l3CacheSchema, memBwSchema, ...schemata].filter((line) => line !== "").map((line) => line.trimEnd());
  const write = lines.length === 0 ? [] : writeFile(`${directory}/schemata`, `${lines.join("\n")}\n`);
  const [first = step("@add", [0, 0]), ...rest] = write;
  return {
    what: `make the class ${directory} (linux.intelRdt)`,
    why: "asked for: which part of the cache and of the memory's bandwidth it may fill",
    shell: [`mkdir ${directory}`, ...lines.map((line) => `echo '${line}' > ${directory}/schemata`)],
    steps: [
      step("mkdirat", [AT_FDCWD, text(directory), 0o755], {
        label: "rdt.class",
        onZero: "rdt.schemata",
        ...(closID === undefined ? {} : { onNegative: "next" }),
      }),
      ...(closID === undefined ? [] : expectExisting(directory)),
      { ...first, label: "rdt.schemata" },
      ...rest,
    ],
  };
}

/** What was not made because it is there is well; any other failure is met again, and told. */
function expectExisting(directory: string): Step[] {
  return [
    step("@add", [previous(), errnoNumber("EEXIST")], { onZero: "rdt.schemata" }),
    step("mkdirat", [AT_FDCWD, text(directory), 0o755]),
  ];
}

function makeGroup(group: string): Act {
  return {
    what: `make the monitoring group ${group} (linux.intelRdt.enableMonitoring)`,
    why: "asked for: the kernel counts what of cache and bandwidth this container takes",
    shell: [`mkdir ${group}`],
    steps: [step("mkdirat", [AT_FDCWD, text(group), 0o755], { label: "rdt.group" })],
  };
}

function enter(directory: string): Act {
  return {
    what: `enter ${directory}`,
    why: "what comes from this process belongs to the class as well",
    shell: [`echo $$ > ${directory}/tasks`],
    steps: writeFile(`${directory}/tasks`, "0"),
  };
}

/** Only what was made here: the result of its mkdir says so. */
function remove(directory: string, made: string): Act {
  return {
    what: `remove ${directory}`,
    why: "an empty class costs one of the few that the processor has",
    shell: [`rmdir ${directory}`],
    steps: [
      step("@add", [result(made), 0], { onNegative: "end" }),
      step("unlinkat", [AT_FDCWD, text(directory), flags("AT_REMOVEDIR")], { onNegative: "leftovers" }),
    ],
  };
}
