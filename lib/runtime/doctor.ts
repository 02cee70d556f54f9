/**
 * `paddock doctor`: what this host can and cannot do, and for each "no" what to do about it.
 *
 * @module
 */
import { escapeControl, wrapText } from "../base/text.ts";
import { CHECKS } from "../host/doctor_checks.ts";
import { type Check, type Examined, type Finding, GROUPS, type Place, type Verdict } from "../host/examined.ts";
import type { Facts } from "../host/facts.ts";
import { probeNftables } from "../host/nftables.ts";
import { findExisting, readFreeSpace } from "../host/place.ts";
import { tryOverlay } from "../host/overlay_trial.ts";
import { probeHost, readText } from "../host/probe.ts";
import { isThere } from "../state/data_directory.ts";
import { findPrivateFault, type Roots } from "../state/root.ts";
import { collectGarbage } from "./gc.ts";

/** One check and what it found. */
export interface Diagnosis extends Pick<Check, "id" | "title" | "group">, Finding {
  /** True where no container runs without it. */
  readonly needed: boolean;
}

/** What the host was found to be. */
export interface DoctorReport {
  /** True where a container can run. */
  readonly canRun: boolean;
  readonly diagnoses: readonly Diagnosis[];
}

/** Examines this host; nothing on it is changed, but for a trial of the overlay that takes its directories with it. */
export async function examineHost(roots: Roots): Promise<DoctorReport> {
  const facts = probeHost();
  return diagnose({
    facts,
    readText,
    exists: isThere,
    stateRoot: examinePlace(roots.root),
    dataRoot: examinePlace(roots.dataRoot),
    overlayTrial: facts.uid === 0 ? tryOverlay(findExisting(roots.dataRoot)) : undefined,
    nftables: probeNftables(),
    leftovers: facts.uid === 0 ? await listLeftovers(roots, facts) : [],
    runtime: { deno: Deno.version.deno, glibc: findGlibc() },
  });
}

/** Asks every check. */
export function diagnose(host: Examined): DoctorReport {
  const diagnoses = CHECKS.map((check) => ({
    id: check.id,
    title: check.title,
    group: check.group,
    needed: check.needed ?? false,
    ...check.check(host),
  }));
  return { canRun: !diagnoses.some(({ needed, verdict }) => needed && verdict === "no"), diagnoses };
}

/**
 * The report for a person.
 *
 * @param colour true for a terminal that is not told otherwise (`NO_COLOR`).
 */
export function formatDoctor({ canRun, diagnoses }: DoctorReport, colour: boolean): string {
  const width = Math.max(...diagnoses.map(({ title }) => title.length));
  const groups = GROUPS.map((group) =>
    [
      group,
      ...diagnoses.filter((found) => found.group === group).flatMap((found) => formatDiagnosis(found, width, colour)),
    ].join("\n")
  );
  const end = canRun ? "a container can run on this host" : "no container can run on this host";
  return [...groups, end].join("\n\n") + "\n";
}

/** What `paddock doctor` prints, and its exit code: 0 where a container can run, 1 where none can. */
export async function runDoctor(
  roots: Roots,
  { json, colour = wantsColour() }: { readonly json: boolean; readonly colour?: boolean },
): Promise<{ readonly text: string; readonly code: number }> {
  const report = await examineHost(roots);
  const text = json ? `${JSON.stringify(report, null, 2)}\n` : formatDoctor(report, colour);
  return { text, code: report.canRun ? 0 : 1 };
}

/** Mark and colour (`man 4 console_codes`) of each verdict. */
const MARKS: Readonly<Record<Verdict, readonly [mark: string, colour: number]>> = {
  ok: ["ok", 32],
  warn: ["!", 33],
  no: ["no", 31],
};

const LINE_WIDTH = 100;

function formatDiagnosis({ verdict, title, detail, remedy }: Diagnosis, width: number, colour: boolean): string[] {
  const [mark, code] = MARKS[verdict];
  const shown = colour ? `\x1b[${code}m${mark.padEnd(2)}\x1b[0m` : mark.padEnd(2);
  const indent = " ".repeat(width + 8);
  const [first = "", ...more] = wrapText(escapeControl(detail), LINE_WIDTH - indent.length);
  const help = remedy === undefined ? [] : wrapText(`-> ${escapeControl(remedy)}`, LINE_WIDTH - indent.length);
  return [`  ${shown}  ${title.padEnd(width)}  ${first}`, ...[...more, ...help].map((line) => indent + line)];
}

function wantsColour(): boolean {
  return Deno.stdout.isTerminal() && !Deno.noColor;
}

function examinePlace(path: string): Place {
  return { path, exists: isThere(path), fault: findPrivateFault(path), free: readFreeSpace(findExisting(path)) };
}

/** What a clean-up would remove; where it cannot even look, why. */
async function listLeftovers(roots: Roots, facts: Facts): Promise<string[]> {
  try {
    const { leftovers } = await collectGarbage(roots, { dryRun: true, facts });
    return leftovers.map(({ kind, what }) => `${kind} ${what}`);
  } catch (error) {
    return [(error as Error).message];
  }
}

/**
 * The version of the C library that this process runs on, from the words in the library itself: it has no file that
 * says it, and asking it takes a call of a function.
 */
function findGlibc(): string | undefined {
  const path = /\S*\/libc[.-]\S*$/m.exec(readText("/proc/self/maps") ?? "")?.[0];
  if (path === undefined) return undefined;
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(path));
  return /GNU C Library [^\n]*? version (\d+\.\d+)/.exec(text)?.[1];
}
