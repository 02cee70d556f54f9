/**
 * What must hold of a Config before a plan is made of it: a list of checks, each about one thing.
 *
 * Every finding is returned, not the first alone, each with the JSON path of the value, so that the author of a
 * `config.json` mends all at once.
 *
 * @module
 */
import { CAPABILITIES } from "../base/capabilities.ts";
import { PaddockError } from "../base/errors.ts";
import type { Config } from "./config.ts";
import { findRlimit } from "./rlimits.ts";
import { type Check, type Finding, finding, findOutside } from "./finding.ts";
import { findSysctlProblem } from "./sysctls.ts";
import { RESOURCE_CHECKS } from "./validate_resources.ts";
import { SECCOMP_CHECKS } from "./validate_seccomp.ts";

/** Everything that is wrong with the Config; empty where it can be planned. */
export function validateConfig(config: Config): readonly Finding[] {
  return CHECKS.flatMap((check) => check(config));
}

/**
 * The Config, if nothing is wrong with it.
 *
 * @throws {PaddockError} naming every finding
 */
export function checkConfig(config: Config): Config {
  const findings = validateConfig(config);
  if (findings.length === 0) return config;
  throw new PaddockError(
    `the configuration cannot be: ${findings.map(({ path, problem }) => `${path}: ${problem}`).join("; ")}`,
  );
}

/** Paths that must be absolute, in the container or on the host (config.md: Root, Process, Mounts). */
function checkPaths({ root, process, mounts, linux }: Config): Finding[] {
  const paths: [string, string][] = [
    ["root.path", root.path],
    ["process.cwd", process.cwd],
    ...mounts.map(({ destination }, index): [string, string] => [`mounts[${index}].destination`, destination]),
    ...(linux.devices ?? []).map(({ path }, index): [string, string] => [`linux.devices[${index}].path`, path]),
    ...(linux.maskedPaths ?? []).map((path, index): [string, string] => [`linux.maskedPaths[${index}]`, path]),
    ...(linux.readonlyPaths ?? []).map((path, index): [string, string] => [`linux.readonlyPaths[${index}]`, path]),
  ];
  return paths.filter(([, path]) => !path.startsWith("/")).map(([path, value]) =>
    finding(path, `'${value}' is not absolute`)
  );
}

/** Mounts need a target below the root, and a bind mount a source. */
function checkMounts({ mounts }: Config): Finding[] {
  return mounts.flatMap(({ destination, type, source, options }, index) => [
    ...(destination.split("/").includes("..")
      ? [finding(`mounts[${index}].destination`, `'${destination}' has '..' in it`)]
      : []),
    ...(/^\/*(\.?\/*)*$/.test(destination)
      ? [finding(`mounts[${index}].destination`, "the root itself is no target")]
      : []),
    ...(isBind(type, options) && !source?.startsWith("/")
      ? [finding(`mounts[${index}].source`, `a bind mount needs an absolute source, not '${source ?? ""}'`)]
      : []),
  ]);
}

function isBind(type: string | undefined, options: readonly string[] = []): boolean {
  return type === "bind" || options.includes("bind") || options.includes("rbind");
}

/** A command, and variables with names (config.md: Process). */
function checkProcess({ process }: Config): Finding[] {
  return [
    ...(process.args.length === 0 ? [finding("process.args", "there is no command")] : []),
    ...process.env.flatMap((entry, index) =>
      entry.indexOf("=") > 0 ? [] : [finding(`process.env[${index}]`, `'${entry}' is not of the form NAME=value`)]
    ),
    ...findOutside("process.oomScoreAdj", process.oomScoreAdj, -1000, 1000),
  ];
}

/** Ids below the one that means "no change" (`man 2 setresuid`). */
function checkUser({ process: { user } }: Config): Finding[] {
  const last = 2 ** 32 - 2;
  return [
    ...findOutside("process.user.uid", user.uid, 0, last),
    ...findOutside("process.user.gid", user.gid, 0, last),
    ...findOutside("process.user.umask", user.umask, 0, 0o777),
    ...(user.additionalGids ?? []).flatMap((gid, index) =>
      findOutside(`process.user.additionalGids[${index}]`, gid, 0, last)
    ),
  ];
}

/** Known capabilities (`man 7 capabilities`); ambient ones must be permitted and inheritable too, or the kernel drops them. */
function checkCapabilities({ process: { capabilities = {} } }: Config): Finding[] {
  const unknown = Object.entries(capabilities).flatMap(([set, names]: [string, readonly string[]]) =>
    names.flatMap((name, index) =>
      CAPABILITIES.some((known) => name === `CAP_${known.toUpperCase()}`)
        ? []
        : [finding(`process.capabilities.${set}[${index}]`, `'${name}' is no capability`)]
    )
  );
  const { ambient = [], permitted = [], inheritable = [] } = capabilities;
  const loose = ambient.filter((name) => !permitted.includes(name) || !inheritable.includes(name));
  return [
    ...unknown,
    ...loose.map((name) => finding("process.capabilities.ambient", `${name} is not permitted and inheritable too`)),
  ];
}

/** Known resource limits, each once, soft not above hard (config.md: POSIX process). */
function checkRlimits({ process: { rlimits = [] } }: Config): Finding[] {
  return rlimits.flatMap(({ type, soft, hard }, index) => [
    ...(findRlimit(type) === undefined
      ? [finding(`process.rlimits[${index}].type`, `'${type}' is no resource limit`)]
      : []),
    ...(rlimits.findIndex((other) => other.type === type) < index
      ? [finding(`process.rlimits[${index}].type`, `'${type}' is there twice`)]
      : []),
    ...(hard !== -1 && (soft === -1 || soft > hard)
      ? [finding(`process.rlimits[${index}].soft`, `${soft} is above the hard limit ${hard}`)]
      : []),
  ]);
}

/** Names that the kernel takes (`man 2 sethostname`: 64 bytes), and only in a UTS namespace of the container's own. */
function checkHostnames(config: Config): Finding[] {
  const own = hasNamespace(config, "uts");
  return (["hostname", "domainname"] as const).flatMap((path) => {
    const name = config[path];
    if (name === undefined) return [];
    return [
      ...(new TextEncoder().encode(name).length > 64 ? [finding(path, `'${name}' is longer than 64 bytes`)] : []),
      ...(own ? [] : [finding(path, "it would rename the host: there is no UTS namespace of its own")]),
    ];
  });
}

/** Each namespace once; a mount namespace always, for without one every mount would be the host's. */
function checkNamespaces(config: Config): Finding[] {
  const { namespaces, timeOffsets = {}, uidMappings = [], gidMappings = [] } = config.linux;
  const types = namespaces.map((namespace) => namespace.type);
  const joinsUser = namespaces.some((namespace) => namespace.type === "user" && namespace.path !== undefined);
  return [
    ...types.flatMap((type, index) =>
      types.indexOf(type) < index ? [finding(`linux.namespaces[${index}]`, `'${type}' is there twice`)] : []
    ),
    ...namespaces.flatMap(({ path }, index) =>
      path === undefined || path.startsWith("/")
        ? []
        : [finding(`linux.namespaces[${index}].path`, `'${path}' is not absolute`)]
    ),
    ...(types.includes("mount") ? [] : [finding("linux.namespaces", "there is no mount namespace")]),
    ...(Object.keys(timeOffsets).length > 0 && !types.includes("time")
      ? [finding("linux.timeOffsets", "clocks are moved in a time namespace only, and there is none")]
      : []),
    ...(types.includes("user") && !joinsUser && (uidMappings.length === 0 || gidMappings.length === 0)
      ? [finding("linux.uidMappings", "a user namespace needs maps of both user and group ids")]
      : []),
    ...(!types.includes("user") && uidMappings.length + gidMappings.length > 0
      ? [finding("linux.uidMappings", "ids are mapped in a user namespace only, and there is none")]
      : []),
  ];
}

/** Maps without holes below the ids that the process has. */
function checkMappings({ linux: { uidMappings = [], gidMappings = [] }, process: { user } }: Config): Finding[] {
  const has = (maps: typeof uidMappings, id: number): boolean =>
    maps.length === 0 || maps.some(({ containerID, size }) => id >= containerID && id < containerID + size);
  return [
    ...(has(uidMappings, user.uid) ? [] : [finding("process.user.uid", `${user.uid} is outside of linux.uidMappings`)]),
    ...(has(gidMappings, user.gid) ? [] : [finding("process.user.gid", `${user.gid} is outside of linux.gidMappings`)]),
    ...(user.additionalGids ?? []).flatMap((gid, index) =>
      has(gidMappings, gid)
        ? []
        : [finding(`process.user.additionalGids[${index}]`, `${gid} is outside of linux.gidMappings`)]
    ),
  ];
}

/** Only settings of namespaces that are the container's own: any other would change the host. */
function checkSysctls(config: Config): Finding[] {
  return Object.keys(config.linux.sysctl ?? {}).flatMap((key) => {
    const problem = findSysctlProblem(config.linux, key);
    return problem === undefined ? [] : [finding(`linux.sysctl[${JSON.stringify(key)}]`, problem)];
  });
}

/** No text may have a NUL in it: the kernel would see its beginning only. */
function checkText(config: Config): Finding[] {
  return findNul(config, "");
}

function findNul(value: unknown, path: string): Finding[] {
  if (typeof value === "string") return value.includes("\0") ? [finding(path, "there is a NUL character in it")] : [];
  if (Array.isArray(value)) return value.flatMap((item, index) => findNul(item, `${path}[${index}]`));
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, item]) => [
    ...(key.includes("\0") ? [finding(path, "there is a NUL character in a key")] : []),
    ...findNul(item, path === "" ? key : `${path}.${key}`),
  ]);
}

const CHECKS: readonly Check[] = [
  checkText,
  checkPaths,
  checkMounts,
  checkProcess,
  checkUser,
  checkCapabilities,
  checkRlimits,
  checkHostnames,
  checkNamespaces,
  checkMappings,
  checkSysctls,
  ...RESOURCE_CHECKS,
  ...SECCOMP_CHECKS,
];

function hasNamespace(config: Config, type: Config["linux"]["namespaces"][number]["type"]): boolean {
  return config.linux.namespaces.some((namespace) => namespace.type === type);
}
