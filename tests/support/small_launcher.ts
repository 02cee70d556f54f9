/**
 * Launchers of a few steps: compiled, written to a file, and run like any other executable.
 *
 * @module
 */
import { assemble } from "../../lib/program/assemble.ts";
import { exampleAct, type ExamplePlan, examplePlan } from "../../lib/program/plan_example.ts";
import { type Act, type Arch, type Block, type Plan, type Step, step, text } from "../../lib/program/step.ts";
import { call, type Outcome } from "./paddock.ts";

/** How a small launcher is made and run. */
export interface SmallLauncher extends Omit<ExamplePlan, "arch"> {
  readonly arch?: Arch;
  /** Words before its own path: `["strace", "-o", "…"]`. */
  readonly under?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What runs a program of that architecture here: nothing where it is this machine's own. */
export function emulatorOf(arch: Arch): string[] {
  return arch === Deno.build.arch ? [] : [`qemu-${arch}`];
}

/** The calls that end a launcher: by the code of a step, or 99 where a call failed that nobody looked after. */
export const ENDINGS: Act = exampleAct(
  "end",
  step("exit_group", [0], { label: "good" }),
  step("exit_group", [1], { label: "bad" }),
  step("exit_group", [99], { label: "fault" }),
);

/** A file that is gone when this is disposed. */
export interface ProgramFile extends Disposable {
  readonly path: string;
}

/** Writes a program where it can be executed. */
export function writeProgram(program: Uint8Array, name = "launcher"): ProgramFile {
  // Some hosts mount /tmp noexec.
  const directory = Deno.makeTempDirSync({ dir: "/var/tmp", prefix: "paddock-test-" });
  const path = `${directory}/${name}`;
  Deno.writeFileSync(path, program, { mode: 0o755 });
  return { path, [Symbol.dispose]: () => Deno.removeSync(directory, { recursive: true }) };
}

/** Compiles these steps, which end in `ENDINGS` if they do not end themselves, and runs them. */
export async function runSteps(steps: readonly Step[], options: SmallLauncher = {}): Promise<Outcome> {
  return await runPlan(examplePlan([exampleAct("test", ...steps), ENDINGS], planOptions(options)), options);
}

/** Compiles a plan and runs it. */
export async function runPlan(plan: Plan, { under = [], env = {} }: SmallLauncher = {}): Promise<Outcome> {
  using file = writeProgram(assemble(plan));
  return await call([...under, ...emulatorOf(plan.arch), file.path], { clearEnv: true, env });
}

function planOptions({ arch = Deno.build.arch, ...more }: SmallLauncher): ExamplePlan {
  return { fault: "fault", ...more, arch };
}

/** The steps that end well if the step before gave this number, and badly otherwise. */
export function expectResult(value: number | bigint): Step[] {
  return [step("@sub", [{ previous: 1 }, value], { onNegative: "bad", onZero: "good", onPositive: "bad" })];
}

/** A NULL-terminated array of strings, for `execve`. */
export function words(...all: readonly string[]): { readonly block: Block } {
  const fields = all.map((word, index) => ({ at: 8 * index, size: 8, value: text(word) }) as const);
  return { block: { size: 8 * (all.length + 1), fields } };
}

/** Two texts and how many bytes of them are compared, with what `@same` must say. */
export const COMPARISONS: readonly (readonly [string, string, number, 0 | 1])[] = [
  ["abcdefgh", "abcdefgh", 8, 0],
  ["abcdefgh", "Xbcdefgh", 8, 1],
  ["abcdefgh", "abcdefgX", 8, 1],
  ["abcdefgh", "abcdefgX", 7, 0],
  ["abcdefgh", "X", 0, 0],
  ["abc", "abcd", 4, 1],
];

/** The steps that write argv and the environment as the kernel has put them: the first string of each. */
export const SHOW_STACK: readonly Step[] = [
  step("@stack", []),
  step("@load", [{ previous: 1 }, 8]),
  step("write", [1, { previous: 1 }, 1]),
  step("@load", [{ previous: 3 }, 24]),
  step("write", [1, { previous: 1 }, 6]),
  step("@add", [0, 0], { onZero: "good" }),
];

/** Operations on two numbers, with the result that every architecture must have. */
export const ARITHMETIC: readonly (readonly [string, number | bigint, number | bigint, number | bigint])[] = [
  ["@add", 40, 2, 42],
  ["@add", -1, 1, 0],
  ["@add", 0xffffffffn, 1, 0x100000000n],
  ["@sub", 40, 42, -2],
  ["@sub", 0, 0x100000000n, -0x100000000n],
  ["@and", 0b1100, 0b1010, 0b1000],
  ["@and", -1, 0x7fffffffffffffffn, 0x7fffffffffffffffn],
  ["@or", 0b1100, 0b1010, 0b1110],
  ["@or", 0x100000000n, 1, 0x100000001n],
  ["@shl", 1, 0, 1],
  ["@shl", 1, 40, 1n << 40n],
  ["@shl", 3, 63, -(1n << 63n)],
  ["@shr", 256, 8, 1],
  // Unsigned: no sign comes in from above.
  ["@shr", -1, 60, 15],
  ["@shr", 1n << 62n, 62, 1],
];
