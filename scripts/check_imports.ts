/**
 * Fails on an import that the architecture does not have: an edge between folders of `lib` that is not in `EDGES`, a
 * cycle between files, a package that is not ours to use, `Deno` in a pure folder, `Deno.dlopen` outside the kernel's.
 *
 * Type-only imports count as edges too: a folder that needs another's types depends on it.
 *
 * @module
 */
import { walkSync } from "@std/fs";
import { dirname, join, normalize, relative } from "@std/path";

/** A source file: its path from the repository's root, and its text. */
export interface SourceFile {
  readonly path: string;
  readonly text: string;
}

/** Where an edge may lead: a whole folder, or one of its files; `types` where only its types may be used. */
interface Target {
  readonly to: string;
  readonly types?: true;
}

/** The stages, which only `runtime` brings together. */
const STAGES = ["image", "network", "state", "host", "systemd", "plan", "cgroup", "program", "spec", "kernel"] as const;

const FACTS: Target = { to: "host/facts.ts", types: true };

/** Who may import whom. Every folder may import itself and `base`; what is not here is forbidden. */
export const EDGES: Readonly<Record<string, readonly Target[]>> = {
  main: [{ to: "cli" }],
  cli: [{ to: "runtime" }, ...STAGES.map((to): Target => ({ to, types: true }))],
  runtime: STAGES.map((to) => ({ to })),
  plan: [{ to: "spec" }, { to: "cgroup" }, { to: "program" }, { to: "network" }, FACTS],
  cgroup: [{ to: "program" }, { to: "spec", types: true }, { to: "systemd/value.ts", types: true }, FACTS],
  network: [{ to: "program" }, { to: "kernel" }, { to: "spec", types: true }, FACTS],
  host: [{ to: "kernel" }, { to: "program/step.ts", types: true }],
  systemd: [],
  image: [{ to: "kernel" }, { to: "spec", types: true }],
  state: [{ to: "kernel" }, { to: "spec", types: true }],
  kernel: [{ to: "program" }],
  program: [],
  spec: [],
  base: [],
};

/** Folders that decide and never act: no `Deno`, no `node:`. Their tests run without any permission. */
export const PURE: readonly string[] = ["spec", "plan", "program", "cgroup"];

/** Packages that may be imported, by these bare names alone: the import map of `scripts/offline` has no others. */
const PACKAGES = ["@std/assert", "@std/cli", "@std/fs", "@std/path", "@std/tar", "smol-toml"];

/** Every fault that is found, one line each; none where all is well. */
export function checkImports(files: readonly SourceFile[]): string[] {
  const read = files.map((file) => ({ ...file, imports: importsOf(file) }));
  return [
    ...read.flatMap((file) => file.imports.flatMap((used) => checkImport(file.path, used))),
    ...files.flatMap(checkGlobals),
    ...findCycle(
      new Map(read.map((file) => [file.path, file.imports.filter((used) => !used.late).map((used) => used.path)])),
    ),
  ];
}

interface Import {
  readonly name: string;
  /** True for an import that happens only when its line is reached. */
  readonly late: boolean;
  /** The path from the repository's root for a file of ours, else the name. */
  readonly path: string;
  readonly types: boolean;
}

/** The imports of a file that is formatted by `deno fmt`: static, re-exported and dynamic ones. */
function importsOf({ path, text }: SourceFile): Import[] {
  const code = withoutComments(text);
  const found: Import[] = [];
  const add = (name: string, types: boolean, late = false): void => {
    const target = name.startsWith(".") ? normalize(join(dirname(path), name)) : name;
    found.push({ name, path: target, types, late });
  };
  for (const [, clause, name] of code.matchAll(/^(?:import|export)\s+([^;"'()]*?)\s*from\s+["']([^"']+)["']/gm)) {
    add(name!, isTypeOnly(clause!));
  }
  for (const [, name] of code.matchAll(/^import\s+["']([^"']+)["']/gm)) add(name!, false);
  for (const [before, name] of code.matchAll(/(?:typeof\s+)?\bimport\(\s*["']([^"'$]+)["']/g)) {
    add(name!, before!.startsWith("typeof"), true);
  }
  return found;
}

function isTypeOnly(clause: string): boolean {
  if (/^type\b/.test(clause)) return true;
  const names = /^\{([^}]*)\}$/.exec(clause.trim())?.[1]?.split(",").map((name) => name.trim()).filter(Boolean);
  return names !== undefined && names.length > 0 && names.every((name) => name.startsWith("type "));
}

function checkImport(path: string, used: Import): string[] {
  const from = folderOf(path);
  if (!used.name.startsWith(".")) {
    if (used.name.startsWith("node:")) return checkNode(path, from, used);
    return PACKAGES.includes(used.name) ? [] : [`${path}: imports ${used.name}, which is none of our packages`];
  }
  if (from === "") return [];
  const to = folderOf(used.path);
  if (to === "") return isTest(path) ? [] : [`${path}: imports ${used.path} from outside lib`];
  // A test drives whatever it needs to set its subject up; the code beside it is what has to keep to the edges.
  if (isTest(path)) return [];
  if (isTest(used.path)) return [`${path}: imports the test ${used.path}`];
  if (to === from || to === "base") return [];
  const edges = EDGES[from];
  if (edges === undefined) return [`${path}: lib/${from} is in no rule of scripts/check_imports.ts`];
  const edge = edges.find((target) => target.to === to || `lib/${target.to}` === used.path);
  if (edge === undefined) return [`${path}: imports ${used.path}, but ${from} may not use ${to}`];
  return edge.types && !used.types ? [`${path}: imports ${used.path}, of which only types may be used here`] : [];
}

/**
 * The first `node:` module costs 20 ms of every start, the larger ones 50, and in one bundled file an import at the
 * top of any module is one at the top of the program.
 */
function checkNode(path: string, from: string, used: Import): string[] {
  if (from === "" || isTest(path) || used.types) return [];
  if (PURE.includes(from)) return [`${path}: imports ${used.name}, but lib/${from} is pure`];
  if (used.late) return [];
  return [
    `${path}: imports ${used.name} at every start, which costs 20 to 50 ms: await import("${used.name}") where used`,
  ];
}

function checkGlobals({ path, text }: SourceFile): string[] {
  const from = folderOf(path);
  if (from === "" || isTest(path)) return [];
  const code = withoutComments(text);
  const faults: string[] = [];
  if (PURE.includes(from) && /\bDeno\b/.test(code)) faults.push(`${path}: uses Deno, but lib/${from} is pure`);
  if (from !== "kernel" && /\bDeno\.(dlopen|Unsafe\w+)/.test(code)) {
    faults.push(`${path}: uses native memory or libraries, which only lib/kernel may`);
  }
  return faults;
}

/** The first cycle between files, if there is one. What is imported late, when a verb is called, closes none. */
function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const visit = (path: string, above: readonly string[]): string[] => {
    const start = above.indexOf(path);
    if (start >= 0) return [`cycle of imports: ${[...above.slice(start), path].join(" → ")}`];
    if (done.has(path)) return [];
    for (const next of graph.get(path) ?? []) {
      const cycle = visit(next, [...above, path]);
      if (cycle.length > 0) return cycle;
    }
    done.add(path);
    return [];
  };
  for (const path of graph.keys()) {
    const cycle = visit(path, []);
    if (cycle.length > 0) return cycle;
  }
  return [];
}

/** "plan" for lib/plan/build.ts, "main" for main.ts, "" for what lies outside the program. */
function folderOf(path: string): string {
  return path === "main.ts" ? "main" : /^lib\/([^/]+)\//.exec(path)?.[1] ?? "";
}

function isTest(path: string): boolean {
  return path.endsWith("_test.ts");
}

/** Strings are kept, so that a `//` inside one does not hide the rest of its line. */
function withoutComments(text: string): string {
  const pattern = /("(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`)|\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
  return text.replaceAll(pattern, (_, string: string | undefined) => string ?? "");
}

function readSources(root: string): SourceFile[] {
  const options = { exts: [".ts"], includeDirs: false, skip: [/\/(node_modules|dist|\.git)\//] };
  return [...walkSync(root, options)]
    .map((entry) => ({ path: relative(root, entry.path), text: Deno.readTextFileSync(entry.path) }))
    .filter(({ path }) => path === "main.ts" || /^(lib|scripts|tests)\//.test(path));
}

if (import.meta.main) {
  const sources = readSources(join(import.meta.dirname!, ".."));
  const faults = checkImports(sources);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) Deno.exit(1);
  console.log(`imports of ${sources.length} files are as they should be`);
}
