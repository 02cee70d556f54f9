/**
 * Device rules as a program for the kernel's BPF machine: what v2 has in place of a devices controller.
 *
 * The kernel calls it for every open and mknod of a device by a process of the cgroup, with a `struct
 * bpf_cgroup_dev_ctx` in r1: access and type in one word, then major, then minor (linux/bpf.h). 0 refuses with EPERM.
 *
 * @module
 */
import { ALL_ACCESS, type ExactRule } from "./devices.ts";

/** One instruction (`struct bpf_insn`, Documentation/bpf/standardization/instruction-set.rst). */
export interface Instruction {
  readonly code: number;
  readonly to?: number;
  readonly from?: number;
  /** Instructions to skip. */
  readonly skip?: number;
  readonly value?: number;
}

/** Operation codes that are used. */
export const BPF = {
  /** to = 32 bits at from + skip, which is a number of bytes here. */
  load: 0x61,
  move: 0xbf,
  set: 0xb7,
  and32: 0x54,
  shift32: 0x74,
  jump: 0x05,
  jumpUnlessEqual: 0x55,
  jumpIfBits: 0x45,
  exit: 0x95,
} as const;

/** r0 is the answer, r1 the context; r2 to r5 as loaded at the start. */
const TYPE = 2;
const WANTED = 3;
const MAJOR = 4;
const MINOR = 5;

/** `BPF_DEVCG_DEV_*`. */
const TYPES = { b: 1, c: 2 } as const;

/**
 * The program for these rules.
 *
 * The last rule wins, so they are asked from last to first, with the accesses not yet granted in r3: a rule that allows
 * takes its own away, a rule that denies one of those left ends it. What no rule allows is refused.
 */
export function assembleDeviceProgram(rules: readonly ExactRule[]): Instruction[] {
  const program: Instruction[] = [
    { code: BPF.load, to: TYPE, from: 1, skip: 0 },
    { code: BPF.move, to: WANTED, from: TYPE },
    { code: BPF.and32, to: TYPE, value: 0xffff },
    { code: BPF.shift32, to: WANTED, value: 16 },
    { code: BPF.load, to: MAJOR, from: 1, skip: 4 },
    { code: BPF.load, to: MINOR, from: 1, skip: 8 },
  ];
  for (const rule of [...rules].reverse()) {
    const checks = buildChecks(rule);
    const verdict = buildVerdict(rule);
    program.push(
      ...checks.map((check, index) => ({ ...check, skip: checks.length - index - 1 + verdict.length })),
      ...verdict,
    );
    // What follows an unconditional answer can never run, and older kernels refuse a program with such a part.
    if (checks.length === 0 && rule.access === ALL_ACCESS) return program;
  }
  return [...program, ...answer(0)];
}

/** The bytes of a program, eight for each instruction, little-endian. */
export function encodeProgram(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, to = 0, from = 0, skip = 0, value = 0 }, index) => {
    const at = index * 8;
    view.setUint8(at, code);
    view.setUint8(at + 1, to | (from << 4));
    view.setInt16(at + 2, skip, true);
    view.setInt32(at + 4, value, true);
  });
  return bytes;
}

/** Jumps past the rule where it is about another device; their distance is filled in by the caller. */
function buildChecks({ type, major, minor }: ExactRule): Instruction[] {
  const check = (to: number, value: number | undefined): Instruction[] =>
    value === undefined ? [] : [{ code: BPF.jumpUnlessEqual, to, value }];
  return [...check(TYPE, type === "a" ? undefined : TYPES[type]), ...check(MAJOR, major), ...check(MINOR, minor)];
}

function buildVerdict({ allow, access }: ExactRule): Instruction[] {
  if (access === ALL_ACCESS) return answer(allow ? 1 : 0);
  if (allow) {
    return [
      { code: BPF.and32, to: WANTED, value: ALL_ACCESS & ~access },
      { code: BPF.jumpUnlessEqual, to: WANTED, value: 0, skip: 2 },
      ...answer(1),
    ];
  }
  return [
    { code: BPF.jumpIfBits, to: WANTED, value: access, skip: 1 },
    { code: BPF.jump, skip: 2 },
    ...answer(0),
  ];
}

function answer(value: 0 | 1): Instruction[] {
  return [{ code: BPF.set, to: 0, value }, { code: BPF.exit }];
}
