/**
 * Makes `dist/paddock`: one executable file that needs nothing installed but libc.
 *
 *     deno task build                    for this machine
 *     deno task build --arch aarch64     for the other; dist/paddock-aarch64
 *     deno task build --how packed       one way and no other: compiled or packed
 *     deno task build --runtime FILE     packed with this deno binary, for the architecture that it is for
 *
 * Two ways lead to it. `deno compile` puts the program behind a small runtime that has to be downloaded once. Where
 * that runtime is not to be had, `build/pack.ts` puts the program into the whole `deno` binary, which is there.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { ensureDirSync } from "@std/fs";
import { basename, dirname, join, resolve } from "@std/path";
import { buildInfoLine } from "../lib/base/build_info.ts";
import { compileProgram, findCompileRuntime } from "./build/compile.ts";
import { archOf, packExecutable } from "./build/pack.ts";
import { readRuntime } from "./build/runtime.ts";
import type { StubArch } from "./build/stub.ts";
import { wrapModule } from "./build/wrap.ts";
import { chooseWay, importFlags } from "./deno.ts";

/** What to build. */
export interface BuildOptions {
  readonly entry: string;
  readonly output: string;
  readonly arch: StubArch;
  /** The one way to take; without it, compiled where its runtime is to be had, else packed. */
  readonly how?: "compiled" | "packed";
  /** The deno binary to pack; without it, the one that runs this, or npm's for the other architecture. */
  readonly runtime?: string;
}

/** Builds one file; gives how. @throws Error with the reason where it cannot be built. */
export async function build(options: BuildOptions): Promise<"compiled" | "packed"> {
  const how = options.how ?? (await findCompileRuntime(options.arch) ? "compiled" : "packed");
  using work = new WorkDir();
  const revision = await readRevision();
  const info = buildInfoLine({ kind: how, ...(revision === undefined ? {} : { revision }) });
  ensureDirSync(dirname(options.output));
  const file = `${options.output}.new`;
  if (how === "compiled") {
    const script = join(work.path, "paddock.js");
    Deno.writeTextFileSync(script, info + await bundle(options.entry, join(work.path, "bundle.js")));
    await compileProgram(script, file, options.arch);
  } else {
    const given = options.runtime;
    const runtime = given === undefined ? await readRuntime(options.arch, work.path) : Deno.readFileSync(given);
    const pieces = await bundlePieces(options.entry, join(work.path, "pieces"), info);
    const packing = { pieces, flags: FLAGS, environment: ENVIRONMENT };
    Deno.writeFileSync(file, packExecutable(runtime, packing));
  }
  Deno.chmodSync(file, 0o755);
  Deno.renameSync(file, options.output);
  return how;
}

/**
 * Nothing is looked for, fetched or cached: the program is whole. Its cache of compiled code would lie in a directory
 * that somebody else may write to, and this runs under sudo. The engine's helper threads and its quick compilers cost
 * such a short life more than they give.
 */
const FLAGS = [
  "run",
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  "--cached-only",
  "--no-code-cache",
  "--ext=js",
  "--v8-flags=--single-threaded,--no-sparkplug,--no-maglev,--min-semi-space-size=8",
  "-A",
];

/** No directory for caches; on a terminal the runtime would complain of that at every start. */
const ENVIRONMENT = [
  "DENO_DIR=/dev/null/none",
  "DENO_LOG=error,deno::cache=off",
  "DENO_NO_UPDATE_CHECK=1",
  "DENO_NO_PACKAGE_JSON=1",
];

const ROOT = join(import.meta.dirname!, "..");

/** Everything that the entry imports in pieces, so that a verb pays for what it uses alone; wrapped, by name. */
async function bundlePieces(entry: string, directory: string, info: string): Promise<Record<string, string>> {
  const flags = ["--config", join(ROOT, "deno.json"), ...importFlags(await chooseWay())];
  await runDeno(["bundle", "--quiet", ...flags, "--minify", "--code-splitting", "--outdir", directory, entry]);
  const main = `${basename(entry, ".ts")}.js`;
  const pieces: Record<string, string> = {};
  for (const { name } of Deno.readDirSync(directory)) {
    const code = Deno.readTextFileSync(join(directory, name));
    if (name === main) pieces["main.js"] = wrapModule(info + code, "paddock.js");
    else pieces[name] = wrapModule(code, name);
  }
  return pieces;
}

/** One module of everything that the entry imports; what it imports later is in it too, and runs later. */
async function bundle(entry: string, output: string): Promise<string> {
  const flags = ["--config", join(ROOT, "deno.json"), ...importFlags(await chooseWay())];
  await runDeno(["bundle", "--quiet", ...flags, "--minify", "--output", output, entry]);
  return Deno.readTextFileSync(output);
}

async function runDeno(args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT }).output();
  if (success) return;
  const said = new TextDecoder().decode(stderr.length > 0 ? stderr : stdout).trim();
  throw new Error(`deno ${args[0]} failed: ${said}`);
}

/** The revision that is built; undefined where the source is no git checkout. */
async function readRevision(): Promise<string | undefined> {
  try {
    const args = ["-c", "safe.directory=*", "rev-parse", "--short=12", "HEAD"];
    const { success, stdout } = await new Deno.Command("git", { args, cwd: ROOT, stderr: "null" }).output();
    return success ? new TextDecoder().decode(stdout).trim() : undefined;
  } catch {
    return undefined;
  }
}

class WorkDir implements Disposable {
  readonly path = Deno.makeTempDirSync({ prefix: "paddock-build-" });

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}

function readOptions(words: string[]): BuildOptions {
  const args = parseArgs(words, {
    string: ["arch", "how", "output", "entry", "runtime"],
    unknown: (word) => {
      throw new RangeError(`build: unknown argument ${word}`);
    },
  });
  const runtime: string | undefined = args.runtime;
  const arch: string = args.arch ?? (runtime === undefined ? Deno.build.arch : archOf(Deno.readFileSync(runtime)));
  if (arch !== "x86_64" && arch !== "aarch64") throw new RangeError(`build: --arch is x86_64 or aarch64, not ${arch}`);
  const how: string | undefined = args.how ?? (runtime === undefined ? undefined : "packed");
  if (how !== undefined && how !== "compiled" && how !== "packed") {
    throw new RangeError(`build: --how is compiled or packed, not ${how}`);
  }
  const name = arch === Deno.build.arch ? "paddock" : `paddock-${arch}`;
  return {
    entry: resolve(args.entry ?? join(ROOT, "main.ts")),
    output: resolve(args.output ?? join(ROOT, "dist", name)),
    arch,
    ...(how === undefined ? {} : { how }),
    ...(runtime === undefined ? {} : { runtime }),
  };
}

if (import.meta.main) {
  try {
    const options = readOptions(Deno.args);
    const how = await build(options);
    const { size } = Deno.statSync(options.output);
    console.log(`${options.output}: ${how} for ${options.arch}, ${(size / 1e6).toFixed(1)} MB`);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    Deno.exit(1);
  }
}
