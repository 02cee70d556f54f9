/**
 * Older kernels, as far as system calls make one: a seccomp filter answers "function not implemented" to every call
 * that such a kernel lacks, and then a command is executed.
 *
 * The filter is installed by a launcher of a few steps, so nothing is needed for it.
 *
 * @module
 */
import { assemble } from "../../lib/program/assemble.ts";
import { exampleAct, examplePlan } from "../../lib/program/plan_example.ts";
import { type Block, type Field, type Step, step, text } from "../../lib/program/step.ts";
import { call, type CallOptions, type Outcome } from "./paddock.ts";
import { ENDINGS, words, writeProgram } from "./small_launcher.ts";

/** Kernel versions, and the first number of a system call that they do not have; the same on all architectures. */
export const OLD_KERNELS = {
  /** RHEL 8. No `pidfd_open`, `clone3`, `open_tree`, `move_mount`, `fsopen` and all that came later. */
  "4.18": 424,
  /** No `openat2`, `close_range`, `mount_setattr`. */
  "5.4": 436,
  /** Debian 11. No `mount_setattr`. */
  "5.10": 441,
} as const;

export type OldKernel = keyof typeof OLD_KERNELS;

/** Runs a command as if this were such a kernel; what it starts runs so as well. Takes root. */
export async function callOn(
  kernel: OldKernel,
  command: readonly string[],
  options: CallOptions = {},
): Promise<Outcome> {
  const { env = {}, ...others } = options;
  const variables = Object.entries({ ...Deno.env.toObject(), ...env }).map(([name, value]) => `${name}=${value}`);
  const exec = step("execve", [text(findCommand(command[0]!)), words(...command), words(...variables)]);
  return await stepsOn(kernel, [exec], others);
}

/** Runs steps as if this were such a kernel. */
export async function stepsOn(kernel: OldKernel, steps: readonly Step[], options: CallOptions = {}): Promise<Outcome> {
  const SECCOMP_SET_MODE_FILTER = 1;
  const install = step("seccomp", [SECCOMP_SET_MODE_FILTER, 0, { block: filterProgram(OLD_KERNELS[kernel]) }]);
  const acts = [exampleAct("become old", install), exampleAct("test", ...steps), ENDINGS];
  using file = writeProgram(assemble(examplePlan(acts, { arch: Deno.build.arch, fault: "fault" })));
  return await call([file.path], options);
}

/** `struct sock_fprog` with a program that refuses numbers from `first` on (`man 2 seccomp`). */
function filterProgram(first: number): Block {
  const ENOSYS = 38;
  const [LOAD_WORD, JUMP_IF_GREATER_OR_EQUAL, RETURN] = [0x20, 0x35, 0x06];
  const [ALLOW, ERRNO] = [0x7fff0000, 0x00050000];
  // The number of the call is the first word of what a filter sees. Either jump is taken past so many instructions.
  const program = [
    instruction(LOAD_WORD, 0),
    instruction(JUMP_IF_GREATER_OR_EQUAL, first, 0, 1),
    instruction(RETURN, ERRNO | ENOSYS),
    instruction(RETURN, ALLOW),
  ];
  const code: Block = {
    size: 8 * program.length,
    fields: program.map((value, index): Field => ({ at: 8 * index, size: 8, value })),
  };
  return { size: 16, fields: [{ at: 0, size: 2, value: program.length }, { at: 8, size: 8, value: { block: code } }] };
}

/** `struct sock_filter`: u16 code, u8 jump if true, u8 jump if false, u32 constant. */
function instruction(code: number, constant: number, ifTrue = 0, ifFalse = 0): bigint {
  return BigInt(code) | (BigInt(ifTrue) << 16n) | (BigInt(ifFalse) << 24n) | (BigInt(constant) << 32n);
}

function findCommand(name: string): string {
  if (name.includes("/")) return name;
  const directories = (Deno.env.get("PATH") ?? "/usr/bin:/bin").split(":");
  const found = directories.map((directory) => `${directory}/${name}`).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
  if (found === undefined) throw new Error(`${name} is not in PATH`);
  return found;
}
