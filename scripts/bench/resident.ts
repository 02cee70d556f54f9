/**
 * Memory that a runtime keeps while its container runs: what is resident of every process that is not the command.
 *
 * @module
 */
import type { Command } from "./stopwatch.ts";

/** Resident memory of the processes around a container, bytes. */
export interface Resident {
  /** Their names. */
  readonly processes: readonly string[];
  /** Pages in memory, those shared with others too (`Rss` of `/proc/PID/smaps_rollup`). */
  readonly resident: number;
  /** Pages that nobody else has. */
  readonly own: number;
}

/** Starts a command that sleeps in a container, looks at what is around it, and ends it. */
export async function measureResident({ words, env = {} }: Command, sleeper: string): Promise<Resident> {
  const before = new Set(listPids());
  const [file, ...args] = words;
  const options = { args, env: { ...env }, stdin: "null", stdout: "null", stderr: "null" } as const;
  const child = new Deno.Command(file!, { ...options, clearEnv: true }).spawn();
  try {
    await waitForCommand(before, sleeper);
    const around = relatives(child.pid, before).filter((pid) => !commandLine(pid).startsWith(sleeper));
    const rollups = around.map((pid) => readText(`/proc/${pid}/smaps_rollup`));
    const sum = (key: string): number =>
      rollups.reduce(
        (total, text) => total + 1024 * Number(new RegExp(`^${key}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0),
        0,
      );
    return {
      processes: around.map((pid) => readText(`/proc/${pid}/comm`).trim()),
      resident: sum("Rss"),
      own: sum("Private_Clean") + sum("Private_Dirty"),
    };
  } finally {
    // The command, whoever its parent is: its runtime cleans up then.
    for (const pid of listPids()) {
      if (!before.has(pid) && commandLine(pid).startsWith(sleeper)) Deno.kill(pid, "SIGKILL");
    }
    await child.status;
  }
}

async function waitForCommand(before: ReadonlySet<number>, sleeper: string): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (listPids().some((pid) => !before.has(pid) && commandLine(pid).startsWith(sleeper))) {
      // What a runtime does at its start is over a moment later.
      await new Promise((done) => setTimeout(done, 200));
      return;
    }
    await new Promise((done) => setTimeout(done, 10));
  }
  throw new Error("the container did not start");
}

/** The process and its descendants, and what has left its parent meanwhile (conmon does): started since, by init. */
function relatives(root: number, before: ReadonlySet<number>): number[] {
  const parents = new Map(listPids().map((pid) => [pid, parentOf(pid)]));
  const descends = (pid: number): boolean => pid === root || (parents.has(pid) && descends(parents.get(pid)!));
  const isMonitor = (pid: number): boolean => !before.has(pid) && readText(`/proc/${pid}/comm`) === "conmon\n";
  return [...parents.keys()].filter((pid) => descends(pid) || isMonitor(pid));
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)/m.exec(readText(`/proc/${pid}/status`))?.[1] ?? 0);
}

function commandLine(pid: number): string {
  return readText(`/proc/${pid}/cmdline`).replaceAll("\0", " ");
}

function listPids(): number[] {
  return [...Deno.readDirSync("/proc")].map(({ name }) => Number(name)).filter(Number.isInteger);
}

/** What is gone meanwhile reads as nothing. */
function readText(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}
