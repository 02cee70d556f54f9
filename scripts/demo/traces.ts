/**
 * What a container could leave on its host: the demo looks before, while one runs, and after.
 *
 * @module
 */
import { existsSync, walkSync } from "@std/fs";
import { join } from "@std/path";

/** What the host has at one moment. */
export interface Traces {
  /** Every mount that the host sees. */
  readonly mounts: readonly string[];
  /** The cgroups of containers, in each hierarchy. */
  readonly cgroups: readonly string[];
  /** Directories of running containers, and of what containers have written. */
  readonly directories: readonly string[];
}

/** Looks. @param home the demo's directory @param name of the container: others may come and go beside it */
export function findTraces(home: string, name: string): Traces {
  return {
    mounts: readText("/proc/self/mountinfo").trimEnd().split("\n"),
    cgroups: listCgroups().filter((path) => path.endsWith(`/${name}`)),
    directories: [join(home, "run"), join(home, "data/containers")].flatMap(listDirectories),
  };
}

/** What the second look has and the first had not. */
export function findLeftovers(before: Traces, after: Traces): string[] {
  const added = (kind: keyof Traces): string[] => after[kind].filter((line) => !before[kind].includes(line));
  return [
    ...added("mounts").filter((line) => line.includes("paddock")),
    ...added("cgroups"),
    ...added("directories"),
  ];
}

/** The launcher of the container with this name: it calls itself `paddock: NAME`. */
export function findLauncher(name: string): number | undefined {
  return [...Deno.readDirSync("/proc")].map((entry) => Number(entry.name)).find((pid) =>
    Number.isInteger(pid) && readText(`/proc/${pid}/cmdline`).split("\0")[0] === `paddock: ${name}`
  );
}

/** What is done by the kernel a moment later: looks for two seconds at most. */
export async function waitFor<T>(look: () => T | undefined): Promise<T | undefined> {
  for (let tries = 0; tries < 100; tries++) {
    const found = look();
    if (found !== undefined) return found;
    await new Promise((done) => setTimeout(done, 20));
  }
  return undefined;
}

/** Where paddock makes them: below a directory of its name in each hierarchy. */
function listCgroups(): string[] {
  const mounts = readText("/proc/mounts").split("\n").map((line) => line.split(" "));
  const roots = mounts.filter(([, , type]) => type === "cgroup" || type === "cgroup2").map(([, target]) => target!);
  return [...new Set(roots)].map((root) => join(root, "paddock")).flatMap(listDirectories);
}

function listDirectories(path: string): string[] {
  if (!existsSync(path)) return [];
  return [...walkSync(path, { includeFiles: false, maxDepth: 1 })].map((entry) => entry.path).filter((at) =>
    at !== path
  );
}

/** What is gone meanwhile reads as nothing. */
function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
