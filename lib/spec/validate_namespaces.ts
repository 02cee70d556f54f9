/**
 * Checks of namespaces, and of what needs one (runtime-spec config-linux.md, Namespaces and User namespace mappings).
 *
 * @module
 */
import type { Config, IdMapping } from "./config.ts";
import { type Check, type Finding, finding, findOutside } from "./finding.ts";
import { findSysctlProblem } from "./sysctls.ts";

/** The rules for `linux.namespaces`, maps, clocks, host names, sysctls and network devices. */
export const NAMESPACE_CHECKS: readonly Check[] = [
  checkHostnames,
  checkNamespaces,
  checkTimeOffsets,
  checkMappings,
  checkSysctls,
  checkNetDevices,
];

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
    ...checkMap("linux.uidMappings", uidMappings),
    ...checkMap("linux.gidMappings", gidMappings),
    ...(types.includes("mount") ? [] : [finding("linux.namespaces", "there is no mount namespace")]),
    ...(Object.keys(timeOffsets).length > 0 && !types.includes("time")
      ? [finding("linux.timeOffsets", "clocks are moved in a time namespace only, and there is none")]
      : []),
    ...namespaces.flatMap(({ type, path }, index) =>
      type === "mount" && path !== undefined
        ? [
          finding(
            `linux.namespaces[${index}].path`,
            "a mount namespace is never joined: its mounts would change for others",
          ),
        ]
        : []
    ),
    ...(Object.keys(timeOffsets).length > 0 &&
        namespaces.some(({ type, path }) => type === "time" && path !== undefined)
      ? [finding("linux.timeOffsets", "a time namespace that is joined has its offsets already")]
      : []),
    ...(types.includes("user") && !joinsUser && (uidMappings.length === 0 || gidMappings.length === 0)
      ? [finding("linux.uidMappings", "a user namespace needs maps of both user and group ids")]
      : []),
    ...(!types.includes("user") && uidMappings.length + gidMappings.length > 0
      ? [finding("linux.uidMappings", "ids are mapped in a user namespace only, and there is none")]
      : []),
  ];
}

/** The two clocks that a time namespace has (`man 7 time_namespaces`). */
function checkTimeOffsets({ linux: { timeOffsets = {} } }: Config): Finding[] {
  return Object.entries(timeOffsets).flatMap(([clock, { nanosecs }]) => [
    ...(["monotonic", "boottime"].includes(clock)
      ? []
      : [finding(`linux.timeOffsets[${JSON.stringify(clock)}]`, "the clocks are monotonic and boottime")]),
    ...findOutside(`linux.timeOffsets[${JSON.stringify(clock)}].nanosecs`, nanosecs, 0, 999_999_999),
  ]);
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

/** Ranges of ids that overlap on neither side (`man 7 user_namespaces`, "Defining user and group ID mappings"). */
export function checkMap(path: string, map: readonly IdMapping[]): Finding[] {
  const last = 2 ** 32 - 1;
  const overlap = (key: "containerID" | "hostID", index: number): boolean =>
    map.slice(0, index).some((other) =>
      map[index]![key] < other[key] + other.size && other[key] < map[index]![key] + map[index]!.size
    );
  return [
    ...(map.length > LONGEST_MAP
      ? [finding(path, `${map.length} lines are more than the kernel's ${LONGEST_MAP}`)]
      : []),
    ...map.flatMap(({ containerID, hostID, size }, index) => [
      ...findOutside(`${path}[${index}].containerID`, containerID, 0, last - 1),
      ...findOutside(`${path}[${index}].hostID`, hostID, 0, last - 1),
      ...findOutside(`${path}[${index}].size`, size, 1, last - Math.max(containerID, hostID, 0)),
      ...(overlap("containerID", index) || overlap("hostID", index)
        ? [finding(`${path}[${index}]`, "it overlaps with a line before")]
        : []),
    ]),
  ];
}

/** Lines of an id map that the kernel takes. */
const LONGEST_MAP = 340;

/** Only settings of namespaces that are the container's own: any other would change the host. */
function checkSysctls(config: Config): Finding[] {
  return Object.keys(config.linux.sysctl ?? {}).flatMap((key) => {
    const problem = findSysctlProblem(config.linux, key);
    return problem === undefined ? [] : [finding(`linux.sysctl[${JSON.stringify(key)}]`, problem)];
  });
}

/** Interfaces go into a network namespace of the container's own, by names that the kernel takes (`dev_valid_name`). */
function checkNetDevices(config: Config): Finding[] {
  const { netDevices = {} } = config.linux;
  const isName = (name: string): boolean =>
    !/[\s/:]/.test(name) && !["", ".", "..", "all", "default"].includes(name) &&
    new TextEncoder().encode(name).length <= 15;
  const names = Object.entries(netDevices).map(([host, { name }]) => name ?? host);
  return Object.entries(netDevices).flatMap(([host, { name }], index) => {
    const path = `linux.netDevices[${JSON.stringify(host)}]`;
    return [
      ...(isName(host) ? [] : [finding(path, "it is no name of an interface")]),
      ...(name === undefined || isName(name) ? [] : [finding(`${path}.name`, `'${name}' is no name of an interface`)]),
      ...(names.indexOf(name ?? host) < index ? [finding(path, `'${name ?? host}' is there twice`)] : []),
      ...(hasNamespace(config, "network") ? [] : [finding(path, "there is no network namespace to move it to")]),
    ];
  });
}

function hasNamespace(config: Config, type: Config["linux"]["namespaces"][number]["type"]): boolean {
  return config.linux.namespaces.some((namespace) => namespace.type === type);
}
