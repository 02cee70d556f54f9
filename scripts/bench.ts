/**
 * Measures paddock against runc, crun, bubblewrap and podman on this host, in pairs of runs, and prints the ratios.
 *
 *     deno task bench               some minutes; a quiet machine gives better figures
 *     deno task bench --quick       few runs and a small archive: shows that it works
 *     deno task bench --json        for programs
 *     deno task bench --only run    the figures whose name has these letters
 *
 * It measures dist/paddock where that was built, or what PADDOCK_BIN names, else the source. It is no test: bounds
 * that are missed are shown, and the exit code is 0 as long as everything could be run. Peers that are not installed
 * are left out.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { existsSync } from "@std/fs";
import { join } from "@std/path";
import { writeArchive } from "./bench/archive.ts";
import { bundleVerbs, findRuntimes, type Runtime } from "./bench/bundle_verbs.ts";
import { type Contender, type Field, gather, type Ground, paddockWords } from "./bench/contenders.ts";
import { compare, type Comparison, summarize } from "./bench/pairs.ts";
import { pulls } from "./bench/pulls.ts";
import { type Circumstances, type Figure, formatReport } from "./bench/report.ts";
import { measureResident } from "./bench/resident.ts";
import { type Command, type Sample, Stopwatch } from "./bench/stopwatch.ts";
import { busybox, copyFixture } from "../tests/support/fixtures.ts";
import { PADDOCK_COMMAND } from "../tests/support/paddock.ts";

/** How much is measured. */
interface Effort {
  /** Pairs of runs of one container. */
  readonly pairs: number;
  /** Pairs of runs with something that takes half a second. */
  readonly slowPairs: number;
  readonly loop: number;
  readonly archiveBytes: number;
  readonly imports: number;
  /** Of the image that is pulled, unpacked. */
  readonly imageBytes: number;
}

const FULL: Effort = { pairs: 40, slowPairs: 10, loop: 100, archiveBytes: 1e9, imports: 3, imageBytes: 5e8 };
const QUICK: Effort = { pairs: 4, slowPairs: 2, loop: 10, archiveBytes: 1e8, imports: 1, imageBytes: 5e7 };
const CANNOT_BEGIN = 125;
const INTERRUPTED = 130;
const SLEEP = ["sleep", "600"];

/** One figure, when it is its turn. */
interface Task {
  readonly what: string;
  measure(): Promise<Figure[]>;
}

async function main(words: string[]): Promise<number> {
  const args = parseArgs(words, { boolean: ["quick", "json"], string: ["only"] });
  if (Deno.uid() !== 0) {
    console.error("bench: only root may make containers here: sudo deno task bench");
    return CANNOT_BEGIN;
  }
  using home = new Home();
  Deno.addSignalListener("SIGINT", () => {
    home[Symbol.dispose]();
    Deno.exit(INTERRUPTED);
  });
  const ground = { home: home.path, rootfs: join(home.path, "rootfs"), paddock: paddockCommand() };
  await copyFixture(await busybox(), ground.rootfs);
  const field = await gather(ground);
  const found = await findRuntimes(ground);
  const runtimes = found.filter((one) => typeof one !== "string");
  const missing = new Set([...field.missing, ...found.filter((one) => typeof one === "string")]);
  const about = describe(ground, [field.floor, ...field.peers, ...runtimes], [...missing]);
  const only = args.only ?? "";
  const tasks = listTasks(ground, field, runtimes, args.quick ? QUICK : FULL).filter(({ what }) => what.includes(only));
  const { figures, failed } = await measureAll(tasks);
  if (args.json) console.log(JSON.stringify({ ...about, figures }, null, 2));
  else console.log(formatReport(about, figures).join("\n"));
  return failed ? 1 : 0;
}

/** What cannot be measured is said, and does not stop the rest. */
async function measureAll(tasks: readonly Task[]): Promise<{ figures: Figure[]; failed: boolean }> {
  const figures: Figure[] = [];
  let failed = false;
  for (const [index, task] of tasks.entries()) {
    if (Deno.stderr.isTerminal()) console.error(`${index + 1} of ${tasks.length}: ${task.what}`);
    try {
      figures.push(...await task.measure());
    } catch (error) {
      console.error(`bench: ${task.what}: ${error instanceof Error ? error.message : error}`);
      failed = true;
    }
  }
  return { figures, failed };
}

function listTasks(ground: Ground, field: Field, runtimes: readonly Runtime[], effort: Effort): Task[] {
  const { floor, run, anew, launcher, peers } = field;
  const pair = (first: Contender, second: Contender, bound?: number): Task =>
    versus(ground, first, second, { runs: second.name === "podman run" ? effort.slowPairs : effort.pairs, bound });
  return [
    overFloor(ground, run, floor, effort.pairs, 15),
    overFloor(ground, anew, floor, effort.pairs),
    ...peers.filter(({ name }) => name === "runc run").map((peer) => pair(anew, peer)),
    ...peers.map((peer) => pair(run, peer, peer.name === "runc run" ? 1.1 : undefined)),
    ...peers.map((peer) => pair(launcher, peer, BOUNDS[peer.name])),
    ...[run, launcher, ...peers].map((one) => resident(one)),
    ...[launcher, ...peers.filter(({ name }) => name !== "podman run")].slice(1).map((peer) =>
      loops(ground, launcher, peer, effort.loop)
    ),
    ...bundleVerbs(ground, floor, runtimes, effort.pairs),
    imports(ground, effort),
    ...pulls(ground, effort.imageBytes, effort.imports),
  ];
}

/** Of the launcher's time. */
const BOUNDS: Readonly<Record<string, number>> = { "runc run": 0.15, bwrap: 1 };

function overFloor(ground: Ground, run: Contender, floor: Contender, runs: number, most?: number): Task {
  const what = `${run.name} true / ${floor.name}`;
  return {
    what,
    measure: async () => {
      const comparison = await comparePair(ground, run.command(["true"]), floor.command([]), runs);
      const bound = most === undefined ? {} : { bound: most };
      return [{ what, comparison, value: comparison.longer.median, ...bound, unit: "ms longer" }];
    },
  };
}

function versus(
  ground: Ground,
  first: Contender,
  second: Contender,
  { runs, bound }: { readonly runs: number; readonly bound?: number | undefined },
): Task {
  const what = `${first.name} true / ${second.name} true`;
  return {
    what,
    measure: async () => {
      const comparison = await comparePair(ground, first.command(["true"]), second.command(["true"]), runs);
      return [ratioFigure(what, comparison, bound)];
    },
  };
}

/** So many containers, one after the other, by a shell. */
function loops(ground: Ground, first: Contender, second: Contender, count: number): Task {
  const what = `${count} × ${first.name} / ${second.name}, in a shell loop`;
  const loop = (contender: Contender): Command => {
    const { words, env } = contender.command(["true"]);
    const script = 'count=$1; shift; while [ "$count" -gt 0 ]; do "$@" || exit; count=$((count - 1)); done';
    return { words: ["/bin/sh", "-c", script, "sh", `${count}`, ...words], ...(env === undefined ? {} : { env }) };
  };
  return {
    what,
    measure: async () => [ratioFigure(what, await comparePair(ground, loop(first), loop(second), 3))],
  };
}

function resident(contender: Contender): Task {
  const what = `resident while it runs: ${contender.name}`;
  return {
    what,
    measure: async () => {
      const memory = await measureResident(contender.command(SLEEP), SLEEP.join(" "));
      const bound = contender.name === "launcher" || contender.name === "paddock run" ? { bound: 40 } : {};
      return [{ what, resident: memory, value: memory.resident / 1024, ...bound, unit: "kB resident" }];
    },
  };
}

/** The archive's first import, against GNU tar; both begin with it in the page cache. */
function imports(ground: Ground, { archiveBytes, imports: runs }: Effort): Task {
  const what = `import of ${(archiveBytes / 1e9).toFixed(1)} GB / GNU tar`;
  return {
    what,
    measure: async () => {
      const archive = join(ground.home, "archive.tar");
      const { files } = writeArchive(archive, archiveBytes);
      const store = join(ground.home, "data");
      const target = join(ground.home, "tar");
      const paddock = new Stopwatch({ words: paddockWords(ground, ["import", archive]), env: ENV }, ground.home);
      const words = ["tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-C", target, "-xpf", archive];
      const tar = new Stopwatch({ words: ["/usr/bin/env", ...words], env: ENV }, ground.home);
      const pairs: { a: Sample; b: Sample }[] = [];
      for (let run = 0; run < runs; run++) {
        const a = await onFresh(store, paddock);
        pairs.push({ a, b: await onFresh(target, tar) });
      }
      const comparison = summarize(pairs);
      const peak = comparison.a.peak.median / 1e6;
      return [
        ratioFigure(`${what} (${files} files)`, comparison, 1.5),
        { what: "peak memory of the import", value: peak, bound: 150, unit: "MB peak" },
      ];
    },
  };
}

const ENV = { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: "/root" };

/** Measures with an empty directory, and with nothing of the run before still to be written to the disk. */
async function onFresh(directory: string, stopwatch: Stopwatch): Promise<Sample> {
  if (existsSync(directory)) Deno.removeSync(directory, { recursive: true });
  Deno.mkdirSync(directory);
  await new Deno.Command("sync").output();
  const sample = await stopwatch.measure();
  Deno.removeSync(directory, { recursive: true });
  return sample;
}

async function comparePair(ground: Ground, first: Command, second: Command, runs: number): Promise<Comparison> {
  return await compare(new Stopwatch(first, ground.home), new Stopwatch(second, ground.home), runs);
}

function ratioFigure(what: string, comparison: Comparison, bound?: number): Figure {
  const value = comparison.ratio.wall.median;
  return { what, comparison, value, ...(bound === undefined ? {} : { bound }), unit: "ratio of wall time" };
}

function paddockCommand(): readonly string[] {
  const built = join(import.meta.dirname!, "../dist/paddock");
  return Deno.env.has("PADDOCK_BIN") || !existsSync(built) ? PADDOCK_COMMAND : [built];
}

function describe(
  { paddock }: Ground,
  programs: readonly Pick<Contender, "name" | "version">[],
  missing: readonly string[],
): Circumstances {
  const [file, ...args] = paddock;
  const { stdout } = new Deno.Command(file!, { args: [...args, "version"] }).outputSync();
  const cpu = /^model name\s*:\s*(.*)$/m.exec(Deno.readTextFileSync("/proc/cpuinfo"))?.[1] ?? Deno.build.arch;
  const versions = programs.map(({ name, version }) => [name.replace(/ run$/, ""), version]);
  return {
    machine: `${navigator.hardwareConcurrency} × ${cpu}, ${(Deno.systemMemoryInfo().total / 1e9).toFixed(0)} GB`,
    kernel: Deno.osRelease(),
    versions: {
      paddock: new TextDecoder().decode(stdout).trim().split("\n")[0]!.replace(/^paddock /, ""),
      ...Object.fromEntries(versions),
    },
    load: Deno.loadavg()[0]!,
    missing,
  };
}

/** Where everything of the bench lies. */
class Home implements Disposable {
  // Not in /tmp: some hosts have a tmpfs there.
  readonly path = Deno.makeTempDirSync({ dir: "/var/tmp", prefix: "paddock-bench-" });

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    console.error(`bench: ${error instanceof Error ? error.message : error}`);
    Deno.exit(CANNOT_BEGIN);
  }
}
