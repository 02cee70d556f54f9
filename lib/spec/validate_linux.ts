/**
 * Checks of what the kernel's policies are told, and of how the rootfs is shared (runtime-spec config-linux.md).
 *
 * @module
 */
import type { Config } from "./config.ts";
import { type Check, type Finding, finding, findNoList, findUnknown } from "./finding.ts";
import { MEMORY_FLAGS, MEMORY_MODES, PERSONALITIES } from "./kernel_names.ts";

/** The rules for `linux.memoryPolicy`, `personality`, `rootfsPropagation` and `intelRdt`. */
export const LINUX_CHECKS: readonly Check[] = [
  checkMemoryPolicy,
  checkPersonality,
  checkPropagation,
  checkIntelRdt,
];

/** A mode, with nodes where it is about nodes (`man 2 set_mempolicy`). */
function checkMemoryPolicy({ linux: { memoryPolicy } }: Config): Finding[] {
  if (memoryPolicy === undefined) return [];
  const { mode, nodes = "", flags = [] } = memoryPolicy;
  const path = "linux.memoryPolicy";
  const [without, needed] = [["MPOL_DEFAULT", "MPOL_LOCAL"], [
    "MPOL_BIND",
    "MPOL_INTERLEAVE",
    "MPOL_WEIGHTED_INTERLEAVE",
  ]];
  return [
    ...(Object.hasOwn(MEMORY_MODES, mode) ? [] : [finding(`${path}.mode`, `'${mode}' is no mode`)]),
    ...findUnknown(`${path}.flags`, flags, Object.keys(MEMORY_FLAGS), "flag of a memory policy"),
    ...findNoList(`${path}.nodes`, nodes),
    ...(without.includes(mode) && nodes !== "" ? [finding(`${path}.nodes`, `${mode} is about no nodes`)] : []),
    ...(needed.includes(mode) && nodes === "" ? [finding(`${path}.nodes`, `${mode} needs nodes`)] : []),
    ...(flags.includes("MPOL_F_STATIC_NODES") && flags.includes("MPOL_F_RELATIVE_NODES")
      ? [finding(`${path}.flags`, "nodes are either static or relative")]
      : []),
  ];
}

/** The two domains of the specification, which has no flags for them. */
function checkPersonality({ linux: { personality } }: Config): Finding[] {
  if (personality === undefined) return [];
  return [
    ...(Object.hasOwn(PERSONALITIES, personality.domain)
      ? []
      : [finding("linux.personality.domain", `'${personality.domain}' is neither LINUX nor LINUX32`)]),
    ...findUnknown("linux.personality.flags", personality.flags, [], "flag of a personality"),
  ];
}

/** Words of `man 8 mount`, alone or for all mounts below. */
function checkPropagation({ linux: { rootfsPropagation = "" } }: Config): Finding[] {
  return /^(r?(shared|slave|private|unbindable))?$/.test(rootfsPropagation)
    ? []
    : [finding("linux.rootfsPropagation", `'${rootfsPropagation}' is none of shared, slave, private and unbindable`)];
}

/** A directory's name, and lines of one resource each. */
function checkIntelRdt({ linux: { intelRdt = {} } }: Config): Finding[] {
  const { closID, schemata = [], l3CacheSchema = "", memBwSchema = "" } = intelRdt;
  const path = "linux.intelRdt";
  return [
    ...(closID !== undefined && (["", ".", ".."].includes(closID) || /[/\n]/.test(closID))
      ? [finding(`${path}.closID`, `'${closID}' is no name of a directory`)]
      : []),
    ...schemata.flatMap((line, index) =>
      /^[^\n:]+:[^\n]+$/.test(line)
        ? []
        : [finding(`${path}.schemata[${index}]`, `'${line}' is no line such as L3:0=f`)]
    ),
    ...(l3CacheSchema === "" || /^(L3[A-Z]*:[^\n]+(\n|$))+$/.test(l3CacheSchema)
      ? []
      : [finding(`${path}.l3CacheSchema`, "its lines begin with L3:")]),
    ...(memBwSchema === "" || /^MB:[^\n]+\n?$/.test(memBwSchema)
      ? []
      : [finding(`${path}.memBwSchema`, "it is one line that begins with MB:")]),
  ];
}
