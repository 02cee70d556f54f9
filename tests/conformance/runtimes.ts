/**
 * The runtimes that the conformance tests drive: the paddock under test, and runc and crun where they are installed. A
 * test that fails with those as well is suspect; where they are known to differ, `known_differences.ts` says so.
 *
 * @module
 */
import { IS_BUILT, PADDOCK_COMMAND } from "../support/paddock.ts";
import type { Ability } from "../support/requires.ts";

/** A program with the command line that engines drive: `PROGRAM [global options] VERB [options] ID`. */
export interface Runtime {
  readonly name: "paddock" | "runc" | "crun";
  /** The words that start it. */
  readonly command: readonly string[];
  /** What a host needs for it. */
  readonly needs: readonly Ability[];
}

/** All of them; the first is the one that the tests are about. One round with the others is enough. */
export const RUNTIMES: readonly Runtime[] = [
  { name: "paddock", command: PADDOCK_COMMAND, needs: [] },
  ...(IS_BUILT ? [] : [
    { name: "runc", command: ["runc"], needs: ["peer:runc"] },
    { name: "crun", command: findCrun(), needs: ["peer:crun"] },
  ] as const),
];

/**
 * crun refuses hosts where the unified hierarchy beside v1 has controllers; in a mount namespace of its own it does not
 * see that hierarchy.
 */
function findCrun(): string[] {
  const unified = "/sys/fs/cgroup/unified";
  if (readOr(`${unified}/cgroup.controllers`).trim() === "") return ["crun"];
  const script = `umount ${unified} && exec crun "$@"`;
  return ["unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "crun"];
}

function readOr(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** The version that a runtime says of itself, such as `1.1.5`; empty where it is not installed. */
export function versionOf({ name, command }: Runtime): string {
  const known = versions.get(name);
  if (known !== undefined) return known;
  const version = /\d+\.\d+[^\s,]*/.exec(outputOf([...command, "--version"]))?.[0].split(/[+~]/, 1)[0] ?? "";
  versions.set(name, version);
  return version;
}

const versions = new Map<string, string>();

/** True where a runtime follows this version of the specification: of runc and crun what they say themselves. */
export function follows(runtime: Runtime, version: string): boolean {
  if (runtime.name === "paddock") return true;
  const spoken = /^spec: *(\d+)\.(\d+)/m.exec(outputOf([...runtime.command, "--version"])) ?? ["", "0", "0"];
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return Number(spoken[1]) > major || (Number(spoken[1]) === major && Number(spoken[2]) >= minor);
}

/** True where a runtime calls hooks: runc and crun do, and have no `features` in every version. */
export function callsHooks({ name, command }: Runtime): boolean {
  if (name !== "paddock") return true;
  hooks ??= (JSON.parse(outputOf([...command, "features"])) as { hooks: string[] }).hooks.length > 0;
  return hooks;
}

let hooks: boolean | undefined;

function outputOf([file, ...args]: readonly string[]): string {
  try {
    return new TextDecoder().decode(new Deno.Command(file!, { args, stdin: "null" }).outputSync().stdout);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "";
    throw error;
  }
}
