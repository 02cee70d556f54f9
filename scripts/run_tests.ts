/**
 * Runs the tests and adds them up.
 *
 *     deno task test                       everything but the virtual machines
 *     deno task test tests/run_test.ts     these files
 *     deno task test --unit                only what stands beside the code
 *     deno task test --built               tests/ against dist/paddock, which is built first where it is not there
 *     deno task test --vm                  what tests/vm/suite lists, against dist/paddock, built for it, in guests with
 *                                          pure cgroup v2, pure v1, and systemd
 *
 * The last line is `N passed, N failed`; before it stands what was ignored, and why.
 *
 * @module
 */
import { parseArgs } from "@std/cli";
import { existsSync, walkSync } from "@std/fs";
import { dirname, join, relative } from "@std/path";
import { build } from "./build.ts";
import { PURE } from "./check_imports.ts";
import { chooseWay, importFlags } from "./deno.ts";
import { setUpTests } from "./setup_tests.ts";
import { addUp, type Sum, sumOf, ZERO } from "./run_tests/sum.ts";

const ROOT = join(import.meta.dirname!, "..");
const MAIN = join(ROOT, "main.ts");
const BUILT = join(ROOT, "dist/paddock");

/** One call of `deno test`, or of the script that boots guests. */
interface Run {
  readonly title: string;
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

async function main(words: string[]): Promise<number> {
  const args = parseArgs(words, { boolean: ["unit", "built", "vm"], string: ["_"] });
  const files = args._.map(String);
  await setUpTests(args.vm ? "vm" : "host");
  // Emulated, the built file takes a third of what the source does.
  if (args.vm || args.built && !existsSync(BUILT)) {
    await build({ entry: MAIN, output: BUILT, arch: Deno.build.arch });
  }
  const flags = importFlags(await chooseWay());
  // The source under test is run with what is cached alone.
  if (!args.built && !args.vm) await new Deno.Command(Deno.execPath(), { args: ["cache", ...flags, MAIN] }).output();
  const test = [Deno.execPath(), "test", "--no-check", ...flags];
  const runs = args.vm
    ? [vmRun(files)]
    : files.length > 0
    ? [{ title: files.join(" "), command: [...test, "-A", ...files], env: args.built ? { PADDOCK_BIN: BUILT } : {} }]
    : args.built
    ? [{
      title: `tests against ${relative(ROOT, BUILT)}`,
      command: [...test, "-A", "tests"],
      env: { PADDOCK_BIN: BUILT },
    }]
    : [...unitRuns(test), ...(args.unit ? [] : [{ title: "tests", command: [...test, "-A", "tests"] }])];
  return await runAll(runs);
}

/** The pure folders' tests without any permission: what they reach touches neither disk nor environment. */
function unitRuns(test: readonly string[]): Run[] {
  const folders = [...Deno.readDirSync(join(ROOT, "lib"))].map(({ name }) => name).sort();
  const hasTests = (name: string): boolean =>
    [...walkSync(join(ROOT, "lib", name), { match: [/_test\.ts$/] })].length > 0;
  const pure = folders.filter((name) => PURE.includes(name) && hasTests(name)).map((name) => `lib/${name}`);
  const others = folders.filter((name) => !PURE.includes(name) && hasTests(name)).map((name) => `lib/${name}`);
  return [
    { title: `${pure.join(" ")} without permissions`, command: [...test, "--no-prompt", ...pure] },
    { title: `${others.join(" ")} scripts`, command: [...test, "-A", ...others, "scripts"] },
  ];
}

function vmRun(files: readonly string[]): Run {
  const path = `${dirname(Deno.execPath())}:${Deno.env.get("PATH") ?? "/usr/bin:/bin"}`;
  const env = { PATH: path, PADDOCK_BIN: BUILT };
  return { title: "virtual machines", command: [join(ROOT, "scripts/vm"), "test", ...files], env };
}

async function runAll(runs: readonly Run[]): Promise<number> {
  const ignored = Deno.makeTempFileSync({ prefix: "paddock-ignored-" });
  let sum: Sum = ZERO;
  try {
    for (const run of runs) {
      console.log(`── ${run.title} ──`);
      sum = addUp(sum, await runOne(run, { PADDOCK_TEST_IGNORED: ignored }));
    }
    reportIgnored(Deno.readTextFileSync(ignored).split("\n").filter((line) => line !== ""), sum.ignored);
  } finally {
    Deno.removeSync(ignored);
  }
  console.log(`${sum.passed} passed, ${sum.failed} failed`);
  return sum.failed > 0 || sum.passed === 0 ? 1 : 0;
}

async function runOne({ command, env }: Run, extra: Readonly<Record<string, string>>): Promise<Sum> {
  const [file, ...args] = command;
  const options = { args, cwd: ROOT, env: { ...extra, ...env }, stdin: "null", stdout: "piped" } as const;
  const child = new Deno.Command(file!, { ...options, stderr: "inherit" }).spawn();
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of child.stdout) {
    await writeAll(chunk);
    text += decoder.decode(chunk, { stream: true });
  }
  return sumOf(text, (await child.status).success);
}

async function writeAll(bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length;) done += await Deno.stdout.write(bytes.subarray(done));
}

function reportIgnored(reasons: readonly string[], count: number): void {
  if (count === 0) return;
  console.log(`${count} ignored`);
  const groups = Map.groupBy(reasons, (reason) => reason);
  for (const [reason, all] of groups) console.log(`  ${all.length}, since this host lacks ${reason}`);
  if (count > reasons.length) console.log(`  ${count - reasons.length} for other reasons: see above`);
}

if (import.meta.main) Deno.exit(await main(Deno.args));
