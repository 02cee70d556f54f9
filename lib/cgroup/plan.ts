/**
 * Resources → acts: puts each controller's settings to the hierarchy that serves it here.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import type { Act, Region } from "../program/step.ts";
import type { Resources } from "../spec/config.ts";
import type { CgroupActs, CgroupRequest } from "./acts.ts";
import { checkResources } from "./checks.ts";
import { buildDevicesV1, buildDevicesV2 } from "./device_acts.ts";
import { allowEverything, completeRules, type ExactRule, toExceptions } from "./devices.ts";
import {
  buildEnable,
  buildFreeze,
  buildInheritCpuset,
  buildJoin,
  buildLeave,
  buildMake,
  buildRemove,
  buildSetting,
  type Hierarchy,
} from "./directories.ts";
import { DISABLED } from "./disabled.ts";
import { type Route, routeSettings } from "./route.ts";

/**
 * The acts for a request on this host.
 *
 * @throws PaddockError that names everything which makes no sense, and everything that cannot be had here, at once
 */
export function planCgroup(request: CgroupRequest, facts: Facts): CgroupActs {
  const directory = checkDirectory(request);
  const resources = withOomGroup(request);
  const nonsense = checkResources(resources);
  if (nonsense.length > 0) throw new PaddockError(nonsense.join("; "));
  const rules = completeRules(resources.devices);
  const route = routeSettings(resources, rules, facts, request);
  const faults = [...route.faults, ...checkRules(request, rules, route)];
  if (faults.length > 0) throw new PaddockError(`cannot hold these limits here: ${faults.join("; ")}`, { hint: HINT });
  if (route.joins.length === 0) return DISABLED;
  return buildActs(request, route, directory, rules, facts);
}

const HINT = "leave such a limit out to go on without it, or see 'paddock doctor' for what this host offers";

/** `memory.oom.group` is one more raw file of v2: where v2 does not serve memory, it is refused like any other. */
function withOomGroup({ resources, oomGroup }: CgroupRequest): Resources {
  if (oomGroup !== true) return resources;
  return { ...resources, unified: { "memory.oom.group": "1", ...resources.unified } };
}

/** "/paddock/web", or "/PARENT/paddock/web"; nothing in it that leads elsewhere. */
function checkDirectory({ name, parent = "/" }: CgroupRequest): string {
  const parts = `${parent}/${name}`.split("/").filter((part) => part !== "");
  const bad = parts.find((part) => part === "." || part === ".." || /[\0\n]/.test(part) || part.length > 255);
  if (bad !== undefined) {
    throw new PaddockError(`cgroup parent '${parent}': '${bad}' is no name of a cgroup`, {
      hint: "give a path below the cgroup mounts, such as --cgroup-parent /batch",
    });
  }
  return `/${parts.join("/")}`;
}

/** Rules that were asked for must hold exactly; v1 cannot hold each. */
function checkRules({ resources }: CgroupRequest, rules: readonly ExactRule[], route: Route): string[] {
  if (route.devices === "v1") {
    return toExceptions(rules).inexpressible.map((rule) =>
      `device rule: cgroup v1 cannot refuse '${rule}'; allow what shall be allowed one by one instead`
    );
  }
  const asked = (resources.devices ?? []).length > 0 && !allowEverything(rules);
  if (route.devices !== "none" || !asked) return [];
  return ["device rules: there is no devices controller of v1 here, and no unified hierarchy that takes a program"];
}

function buildActs(
  { name, systemd = false, mayExist = systemd }: CgroupRequest,
  route: Route,
  path: string,
  rules: readonly ExactRule[],
  facts: Facts,
): CgroupActs {
  const create: Act[] = [];
  const regions: Record<string, Region> = {};
  const hierarchies: Hierarchy[] = [];
  for (const { version, mount, key, settings, required, wished, controllers } of route.joins) {
    const hierarchy = { version, mount, key, directory: `${mount === "/" ? "" : mount}${path}` };
    hierarchies.push(hierarchy);
    // systemd has its unit in the hierarchies of the controllers that it uses itself; the others are ours to make.
    if (!systemd || version === 1) create.push(buildMake(hierarchy, mayExist));
    if (version === 2) create.push(...buildEnable(hierarchy, required, wished));
    if (version === 1 && controllers.includes("cpuset")) {
      const inherit = buildInheritCpuset(hierarchy);
      create.push(...inherit.acts);
      Object.assign(regions, inherit.regions);
    }
    create.push(...settings.map((setting, index) => buildSetting(hierarchy, setting, index)));
    if (version === 1 && controllers.includes("devices")) create.push(...buildDevicesV1(hierarchy.directory, rules));
    if (version === 2 && route.devices === "program" && !allowEverything(rules)) {
      const devices = buildDevicesV2(hierarchy.directory, rules, isBefore511(facts));
      create.push(...devices.acts);
      Object.assign(regions, devices.regions);
    }
  }
  const freezer = hierarchies.find(({ version }, index) =>
    version === 2 || route.joins[index]!.controllers.includes("freezer")
  );
  return {
    regions,
    create,
    join: hierarchies.map(buildJoin),
    remove: systemd ? [buildLeave(name)] : hierarchies.map(buildRemove),
    paths: hierarchies.map(({ directory }) => directory),
    freeze: freezer === undefined ? undefined : buildFreeze(freezer, true),
    thaw: freezer === undefined ? undefined : buildFreeze(freezer, false),
    confinesDevices: route.devices !== "none",
    unified: hierarchies.find(({ version }) => version === 2)?.directory,
  };
}

function isBefore511({ version: [major, minor] }: Facts): boolean {
  return major < 5 || (major === 5 && minor < 11);
}
