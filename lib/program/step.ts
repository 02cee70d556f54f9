/**
 * The language of plans: system calls as data.
 *
 * A plan is a list of acts. An act is one thing that a person would name ("mount proc on /proc"), with its reason, the
 * shell command that would do the same, and the steps that do it. A step is one system call, or one of a few
 * operations on numbers, and where to go after it. Nothing in here is executed: `assemble` makes a program of it,
 * `explain` prints it.
 *
 * @module
 */

/** Machine architectures that a launcher can be compiled for. */
export type Arch = "x86_64" | "aarch64";

/**
 * One argument of a step.
 *
 * - a number: itself (negative numbers are sign-extended to 64 bits);
 * - `flags`: the bitwise or of kernel constants by name (they differ between architectures);
 * - `text`: the address of a NUL-terminated string; equal texts share one address; `offset` bytes into it;
 * - `block`: the address of an anonymous struct, `offset` bytes into it;
 * - `region`: the address of a named region of the plan, `offset` bytes into it;
 * - `step`: the address of the step of that label;
 * - `load`: the 64-bit value found in a named region, `offset` bytes into it;
 * - `result`: the result of the step of that label, as it is when this step runs;
 * - `previous`: the result of the step that stands so many places before this one in its act (1: the one just before).
 */
export type Arg =
  | number
  | bigint
  | { readonly flags: readonly string[] }
  | { readonly text: string; readonly offset?: number }
  | { readonly block: Block; readonly offset?: number }
  | { readonly region: string; readonly offset?: number }
  | { readonly step: string }
  | { readonly load: string; readonly offset?: number }
  | { readonly result: string }
  | { readonly previous: number };

/** Arguments whose value is known when the program is laid out, and which may therefore stand in a struct. */
export type Constant = Exclude<
  Arg,
  { readonly step: string } | { readonly load: string } | { readonly result: string } | { readonly previous: number }
>;

/** A struct in memory: its size in bytes and its fields; what no field covers is zero. */
export interface Block {
  readonly size: number;
  readonly fields: readonly Field[];
}

/** A field of a struct: `size` bytes at offset `at`, little-endian; or raw bytes. */
export type Field =
  | { readonly at: number; readonly size: 1 | 2 | 4 | 8; readonly value: Constant }
  | { readonly at: number; readonly bytes: Uint8Array };

/**
 * Operations that the launcher does itself, without the kernel. `a`, `b`, `c` are the first three arguments.
 *
 * - `@add` a + b, `@sub` a - b, `@and` a & b, `@or` a | b, `@shl` a << b, `@shr` a >>> b;
 * - `@load` the 64 bits at address a + b;
 * - `@store` puts the 64 bits of b at address a, and gives b;
 * - `@origin` the address of the step that jumped to this one;
 * - `@same` 0 where the c bytes at addresses a and b are the same, else 1;
 * - `@stack` the address where the kernel has put argc, argv and the environment;
 * - `@digits` writes a as c decimal digits, with leading zeros, at address b, and gives 0.
 *
 * Their order is that of the machine code in `interpreter.ts`.
 */
export const OPERATIONS = [
  "@add",
  "@sub",
  "@and",
  "@or",
  "@shl",
  "@shr",
  "@load",
  "@store",
  "@origin",
  "@same",
  "@stack",
  "@digits",
] as const;

export type Operation = typeof OPERATIONS[number];

/** Where to go: the label of a step, `"next"`, or `"end"`: the first step after this act. */
export type Target = string;

/**
 * One system call (by its name in `man 2 syscalls`) or operation, and where to go after it.
 *
 * A result below zero goes to `onNegative`, zero to `onZero`, above zero to `onPositive`. Where nothing is said, the
 * next step follows, except after a system call that fails: that goes to the fault handler of its section.
 */
export interface Step {
  /** A name for this step, unique in its plan, for jumps and for use of its result. */
  readonly label?: string;
  readonly call: string;
  readonly args: readonly Arg[];
  readonly onNegative?: Target;
  readonly onZero?: Target;
  readonly onPositive?: Target;
}

/** One thing that a person would name, and the steps that do it. */
export interface Act {
  /** What is done, as it reads in an error: "mount proc on /proc". */
  readonly what: string;
  /** Why it is done, one sentence for people who learn from `paddock explain`. */
  readonly why: string;
  /** The shell commands that would do the same; empty where a shell has no words for it. */
  readonly shell: readonly string[];
  readonly steps: readonly Step[];
}

/** A named piece of writable memory: its size in bytes and, if not zero, what it holds at first. */
export interface Region {
  readonly size: number;
  readonly fields?: readonly Field[];
}

/** Everything that a launcher does, from its first instruction to its exit code. */
export interface Plan {
  readonly arch: Arch;
  /** Shown by `ps` as `paddock: NAME`. */
  readonly name: string;
  readonly regions: Readonly<Record<string, Region>>;
  /** In the order in which they lie in memory; the first step of the first act is where the program starts. */
  readonly sections: readonly Section[];
  /** Texts and structs that steps write into: they lie before all others, which stay as they are. */
  readonly written?: readonly (string | Block)[];
  /** The directories of the container's cgroups, absolute. */
  readonly cgroupPaths: readonly string[];
}

/** Acts of one side of the plan; a step without `onNegative` goes to `fault` when it fails. */
export interface Section {
  /** "launcher" is the parent and monitor, "container" its child. */
  readonly side: "launcher" | "container";
  readonly title: string;
  /** Label of the step that takes over when a step fails. */
  readonly fault: Target;
  readonly acts: readonly Act[];
}

/** A step, written short: `step("umount2", [".", MNT_DETACH])`. */
export function step(call: string, args: readonly Arg[], more: Omit<Step, "call" | "args"> = {}): Step {
  return { call, args, ...more };
}

/** The result of the step `back` places before in the same act. */
export function previous(back = 1): Arg {
  return { previous: back };
}

/** The steps that write `data` into an existing file: open, write, close. A short write counts as done: control files take all or nothing. */
export function writeFile(path: string, data: string, more: Pick<Step, "onNegative"> = {}): Step[] {
  return [
    step("openat", [AT_FDCWD, text(path), flags("O_WRONLY", "O_CLOEXEC")], more),
    step("write", [previous(1), text(data), new TextEncoder().encode(data).length], more),
    step("close", [previous(2)]),
  ];
}

/** "Relative to the working directory" in every call that ends in `at` (`man 2 openat`). */
export const AT_FDCWD = -100;

/** The address of a NUL-terminated string. */
export function text(value: string): Arg & Constant {
  return { text: value };
}

/** The bitwise or of kernel constants by name. */
export function flags(...names: string[]): Arg & Constant {
  return { flags: names };
}

/** The result of the step with that label. */
export function result(label: string): Arg {
  return { result: label };
}
