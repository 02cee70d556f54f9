/**
 * The verbs of an OCI runtime on one bundle: paddock's against an empty start of Deno, and against those of runc and crun.
 *
 * Only the verb itself is under the stopwatch; what makes and removes its container is not.
 *
 * @module
 */
import { join } from "@std/path";
import { type Contender, ENV, findProgram, firstLine, type Ground, paddockWords, writeBundle } from "./contenders.ts";
import { type Comparison, summarize } from "./pairs.ts";
import type { Figure } from "./report.ts";
import { type Command, type Sample, Stopwatch } from "./stopwatch.ts";

/** An OCI runtime: its words for a verb and what follows. */
export interface Runtime {
  readonly name: string;
  readonly version: string;
  readonly words: (words: readonly string[]) => readonly string[];
  /** Words that the stopwatch is started by, outside of what it measures. */
  readonly under?: readonly string[];
}

/** A figure, when it is its turn. */
interface Task {
  readonly what: string;
  readonly measure: () => Promise<Figure[]>;
}

/** One verb, and what its container is before it. */
interface Verb {
  readonly name: string;
  readonly before: readonly (readonly string[])[];
  readonly words: readonly string[];
}

/** Of a paddock verb over an empty start of Deno, milliseconds. */
const MOST_LONGER = 10;
const ID = `paddock-bench-${Deno.pid}`;

/** In the order of a container's life. */
function listVerbs(bundle: string): readonly Verb[] {
  const create = ["create", "--bundle", bundle, ID];
  const start = ["start", ID];
  const kill = ["kill", ID, "KILL"];
  return [
    { name: "create", before: [], words: create },
    { name: "start", before: [create], words: start },
    { name: "state", before: [create, start], words: ["state", ID] },
    { name: "exec true", before: [create, start], words: ["exec", ID, "true"] },
    { name: "kill", before: [create, start], words: kill },
    { name: "delete", before: [create, start, kill], words: ["delete", ID] },
  ];
}

/** runc and crun as they are here; the reason in place of one that cannot run. */
export async function findRuntimes(ground: Ground): Promise<(Runtime | string)[]> {
  return await Promise.all([
    findRuntime(ground, "runc"),
    // crun takes no hierarchy of version 2 beside those of version 1; it gets a view without.
    findRuntime(ground, "crun", [
      ...["/usr/bin/unshare", "--mount", "/bin/sh", "-c"],
      'umount /sys/fs/cgroup/unified 2>/dev/null; exec "$@"',
      "sh",
    ]),
  ]);
}

async function findRuntime(ground: Ground, name: string, under?: readonly string[]): Promise<Runtime | string> {
  const path = findProgram(name);
  if (path === undefined) return name;
  const runtime: Runtime = {
    name,
    version: await firstLine(path, "--version"),
    words: (words) => [path, "--root", join(ground.home, name), ...words],
    ...(under === undefined ? {} : { under }),
  };
  try {
    call(runtime, ["create", "--bundle", writeBundle(ground, ["true"]), ID]);
    call(runtime, ["delete", "--force", ID]);
    return runtime;
  } catch (error) {
    return (error as Error).message;
  }
}

/** The figures of every verb, and of a whole life. @param runs pairs of each */
export function bundleVerbs(ground: Ground, floor: Contender, runtimes: readonly Runtime[], runs: number): Task[] {
  const paddock: Runtime = { name: "paddock", version: "", words: (words) => paddockWords(ground, words) };
  const verbs = listVerbs(writeBundle(ground, ["sleep", "600"]));
  const life = lifeOf(writeBundle(ground, ["true"]));
  return [
    ...verbs.map((verb) => overFloor(ground, paddock, verb, floor, runs)),
    ...runtimes.flatMap((peer) => [
      ...verbs.map((verb) => {
        const command = (runtime: Runtime): Command => ({ words: runtime.words(verb.words), env: ENV });
        return versus(ground, verb, [paddock, peer], command, runs);
      }),
      versus(ground, { name: "create, start, delete", before: [] }, [paddock, peer], life, runs),
    ]),
  ];
}

/** Three commands, by a shell: created, started, and removed whether it has ended already or not. */
function lifeOf(bundle: string): (runtime: Runtime) => Command {
  return (runtime) => {
    const lines = [["create", "--bundle", bundle, ID], ["start", ID], ["delete", "--force", ID]]
      .map((words) => runtime.words(words).map((word) => `'${word}'`).join(" "));
    return { words: ["/bin/sh", "-c", lines.join(" && ")], env: ENV };
  };
}

function overFloor(ground: Ground, paddock: Runtime, verb: Verb, floor: Contender, runs: number): Task {
  const what = `paddock ${verb.name} / ${floor.name}`;
  return {
    what,
    measure: async () => {
      const stopwatch = new Stopwatch({ words: paddock.words(verb.words), env: ENV }, ground.home);
      const empty = new Stopwatch(floor.command([]), ground.home);
      const comparison = await inPairs(() => onContainer(paddock, verb, stopwatch), () => empty.measure(), runs);
      return [{ what, comparison, value: comparison.longer.median, bound: MOST_LONGER, unit: "ms longer" }];
    },
  };
}

function versus(
  ground: Ground,
  verb: Pick<Verb, "name" | "before">,
  [paddock, peer]: readonly [Runtime, Runtime],
  command: (runtime: Runtime) => Command,
  runs: number,
): Task {
  const what = `paddock ${verb.name} / ${peer.name}`;
  return {
    what,
    measure: async () => {
      const [ours, theirs] = [paddock, peer].map((runtime) => {
        const stopwatch = new Stopwatch(command(runtime), ground.home, runtime.under);
        return () => onContainer(runtime, verb, stopwatch);
      });
      const comparison = await inPairs(ours!, theirs!, runs);
      return [{ what, comparison, value: comparison.ratio.wall.median, unit: "ratio of wall time" }];
    },
  };
}

/** Each once uncounted, then in pairs. */
async function inPairs(a: () => Promise<Sample>, b: () => Promise<Sample>, runs: number): Promise<Comparison> {
  await a();
  await b();
  const pairs: { a: Sample; b: Sample }[] = [];
  for (let run = 0; run < runs; run++) pairs.push({ a: await a(), b: await b() });
  return summarize(pairs);
}

/** Measures with a container that is as the verb wants it, and removes it. */
async function onContainer(runtime: Runtime, verb: Pick<Verb, "before">, stopwatch: Stopwatch): Promise<Sample> {
  try {
    for (const words of verb.before) call(runtime, words);
    // What was killed is not gone at once.
    if (verb.before.some(([name]) => name === "kill")) await waitUntilStopped(runtime);
    return await stopwatch.measure();
  } finally {
    call(runtime, ["delete", "--force", ID]);
  }
}

async function waitUntilStopped(runtime: Runtime): Promise<void> {
  for (let tries = 0; tries < 200; tries++) {
    if (JSON.parse(call(runtime, ["state", ID])).status === "stopped") return;
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error(`${runtime.name}: a container that was killed does not stop`);
}

/** @throws Error with what it says where it fails. */
function call({ name, words, under = [] }: Runtime, verb: readonly string[]): string {
  const [file, ...args] = [...under, ...words(verb)];
  // A file, not a pipe: the container would hold it open.
  const output = join(Deno.env.get("TMPDIR") ?? "/tmp", `${ID}-${crypto.randomUUID()}`);
  const script = 'output=$1; shift; exec "$@" > "$output" 2>&1 < /dev/null';
  try {
    const { success } = new Deno.Command("/bin/sh", {
      args: ["-c", script, "sh", output, file!, ...args],
      env: ENV,
      clearEnv: true,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).outputSync();
    const said = Deno.readTextFileSync(output).trim();
    if (!success) throw new Error(`${name} ${verb[0]}: ${said.split("\n").at(-1)}`);
    return said;
  } finally {
    Deno.removeSync(output);
  }
}
