/**
 * What a container could leave on its host: a picture before, a picture after, and the difference.
 *
 *     await expectNoLeaks(paddock, async () => { … });
 *
 * @module
 */
import { walkSync } from "@std/fs";
import { assertEquals } from "@std/assert";

/** Where paddock under test keeps its things; `Paddock` is one. */
export interface Places {
  readonly root: string;
  readonly dataRoot: string;
}

/** Everything of the host that a container may have made, as sorted lines. */
export type Picture = Readonly<Record<Kind, readonly string[]>>;

type Kind = "mounts" | "cgroups" | "processes" | "namespaces" | "state" | "data" | "temporary" | "descriptors";

/** Looks at the host, without what belongs to tests that run beside this one. */
export function takePicture(places: Places): Picture {
  const others = listContainersOfOthers(places);
  return {
    mounts: readLines("/proc/self/mountinfo").map(describeMount).sort(),
    cgroups: listCgroups().filter((path) => !others.has(/\/paddock(?:\.bundles)?\/([^/]+)/.exec(path)![1]!)),
    processes: listProcesses().filter((name) => ![...others].some((id) => `paddock: ${id}`.slice(0, 15) === name)),
    namespaces: ["/run/netns", "/var/run/netns"].flatMap(listNames).sort(),
    // The journal of events stays: it tells of containers that are gone.
    state: listNames(places.root).filter((name) => !name.startsWith(".events")),
    // Unpacked layers stay on purpose.
    data: ["containers", "tmp"].flatMap((name) => listNames(`${places.dataRoot}/${name}`)),
    temporary: ["/tmp", "/run"].flatMap(listNames).filter((name) => /paddock/.test(name))
      // Those of the build, of virtual machines and of other tests come and go.
      .filter((name) => !/^paddock-(\w+-[0-9a-f]{16}$|vm\.)/.test(name)).sort(),
    descriptors: listDescriptors(),
  };
}

/** What is in the second picture and was not in the first; none where nothing was left. */
export function comparePictures(before: Picture, after: Picture): string[] {
  return (Object.keys(after) as Kind[]).flatMap((kind) => {
    const known = new Map<string, number>();
    for (const line of before[kind]) known.set(line, (known.get(line) ?? 0) + 1);
    return after[kind].filter((line) => {
      const left = known.get(line) ?? 0;
      known.set(line, left - 1);
      return left <= 0;
    }).map((line) => `${kind}: ${line}`);
  });
}

/** Runs something and fails if it leaves anything on the host. */
export async function expectNoLeaks(places: Places, action: () => Promise<void>): Promise<void> {
  const before = takePicture(places);
  await action();
  assertEquals(await findLeaks(before, places), []);
}

/**
 * What was not there before and stays. The kernel removes some things (a namespace, a zombie) a moment after the last
 * process is gone, and what is seen for a moment only may be another container's: two seconds decide.
 */
export async function findLeaks(before: Picture, places: Places): Promise<string[]> {
  let left = comparePictures(before, takePicture(places));
  for (let tries = 0; left.length > 0 && tries < 20; tries++) {
    await new Promise((done) => setTimeout(done, 100));
    const now = comparePictures(before, takePicture(places));
    left = left.filter((line) => now.includes(line));
  }
  return left;
}

/** The containers that other tests, the demo and the bench have below `/var/tmp`; their states are the last to go. */
function listContainersOfOthers({ root }: Places): Set<string> {
  const roots = listNames("/var/tmp").filter((name) => /^paddock-(test|demo|bench)-/.test(name))
    .map((name) => `/var/tmp/${name}/run`);
  return new Set(roots.filter((other) => other !== root).flatMap(listNames));
}

/** Without the mount's number, which tells nothing. */
function describeMount(line: string): string {
  const [, , device, root, target] = line.split(" ");
  return `${target} (${device} ${root})`;
}

function listCgroups(): string[] {
  const roots = readLines("/proc/mounts").map((line) => line.split(" "))
    .filter(([, , type]) => type === "cgroup" || type === "cgroup2").map(([, target]) => target!);
  return [...new Set(roots)].flatMap((root) => {
    try {
      return [...walkSync(root, { includeFiles: false, includeSymlinks: false })].map(({ path }) => path)
        .filter((path) => /\/paddock(\.bundles)?\/./.test(path));
    } catch (error) {
      // A cgroup that goes while we walk: the next picture tells.
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }).sort();
}

/** Launchers call themselves `paddock: NAME`; zombies count. */
function listProcesses(): string[] {
  return listNames("/proc").filter((name) => /^\d+$/.test(name))
    .map((pid) => readLines(`/proc/${pid}/comm`)[0] ?? "")
    .filter((name) => name.startsWith("paddock:")).sort();
}

function listDescriptors(): string[] {
  return listNames("/proc/self/fd").flatMap((fd) => {
    try {
      return [Deno.readLinkSync(`/proc/self/fd/${fd}`).replace(/:\[\d+\]$/, "")];
    } catch {
      return [];
    }
  }).filter((target) => !/^\/proc\/\d+\/fd/.test(target)).sort();
}

function listNames(directory: string): string[] {
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

function readLines(path: string): string[] {
  try {
    return Deno.readTextFileSync(path).trimEnd().split("\n");
  } catch {
    return [];
  }
}
