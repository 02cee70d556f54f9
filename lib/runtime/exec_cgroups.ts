/**
 * Which cgroups a further process enters: the container's, or sub-cgroups of them that `--cgroup` names.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import type { CgroupFacts } from "../host/facts.ts";
import { readControl } from "../kernel/cgroup.ts";

/** Sub-cgroups by the controller that they are for; "" is all of them. */
export type SubCgroups = ReadonlyMap<string, string>;

/**
 * Reads `[CONTROLLER[,CONTROLLER...]:]PATH`, each path below the container's cgroup.
 *
 * @throws PaddockError naming the word that does not fit
 */
export function parseSubCgroups(words: readonly string[]): SubCgroups {
  const found = new Map<string, string>();
  for (const word of words) {
    const [controllers, path, more] = word.includes(":") ? word.split(":") : ["", word];
    if (path === undefined || more !== undefined) throw new PaddockError(`invalid --cgroup argument: ${word}`);
    if (!word.includes(":") && words.length > 1) {
      throw new PaddockError(`invalid --cgroup argument: ${word} (missing <controller>: prefix)`);
    }
    if (path.split("/").includes("..")) throw new PaddockError(`${path} is not a sub cgroup path`);
    for (const controller of (controllers ?? "").split(",")) {
      if (word.includes(":") && controller === "") {
        throw new PaddockError(`invalid --cgroup argument: ${word} (empty <controller> prefix)`);
      }
      if (found.has(controller)) {
        throw new PaddockError(`invalid --cgroup argument(s): controller ${controller} specified multiple times`);
      }
      found.set(controller, path.split("/").filter((part) => part !== "" && part !== ".").join("/"));
    }
  }
  return found;
}

/**
 * The directories that a further process enters, one in each hierarchy.
 *
 * @param paths the container's
 * @param pid its first process: where a cgroup of v2 has handed its controllers down, no process can be in it itself,
 * and the new one goes where the first one is
 * @throws PaddockError where a sub-cgroup is not there
 */
export function chooseCgroups(
  paths: readonly string[],
  wanted: SubCgroups,
  { controllers }: CgroupFacts,
  pid: number | undefined,
): string[] {
  const unknown = [...wanted.keys()].find((name) => name !== "" && controllers[name]?.version !== 1);
  if (unknown !== undefined) {
    throw new PaddockError(`invalid --cgroup argument: no hierarchy of cgroup v1 serves ${unknown} here`);
  }
  return paths.map((path) => {
    const joint = Object.entries(controllers).filter(([, { mount }]) => path.startsWith(`${mount}/`));
    const sub = wanted.get("") ?? joint.map(([name]) => wanted.get(name)).find((found) => found !== undefined);
    if (sub === undefined) return whereTheFirstIs(path, pid);
    const chosen = sub === "" ? path : `${path}/${sub}`;
    if (readControl(`${chosen}/cgroup.procs`) !== undefined) return chosen;
    throw new PaddockError(`no cgroup ${sub} in the container's: ${chosen} is not there`, {
      hint: "make it first: mkdir it, inside where the container has its cgroups writable or on the host",
    });
  });
}

function whereTheFirstIs(path: string, pid: number | undefined): string {
  if (pid === undefined || (readControl(`${path}/cgroup.subtree_control`) ?? "").trim() === "") return path;
  const own = /^0::(.*)$/m.exec(readControl(`/proc/${pid}/cgroup`) ?? "")?.[1];
  // Its path as it is told begins at the mount point, or at the root of this process's cgroup namespace.
  const parts = (own ?? "").split("/").filter((part) => part !== "");
  const name = path.slice(path.lastIndexOf("/") + 1);
  const below = parts.slice(parts.lastIndexOf(name) + 1).join("/");
  return parts.includes(name) && below !== "" ? `${path}/${below}` : path;
}
