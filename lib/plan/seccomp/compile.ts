/**
 * The compiler: a seccomp profile becomes a program of classic BPF that decides by halving.
 *
 * ```
 *   load the architecture ─ is it ours? ─ no ─▶ the next one … kill
 *   load the number ─ ≥ 200? ─┬─ ≥ 300? … ─▶ allow
 *                             └─ ≥ 100? … ─▶ load an argument …
 * ```
 *
 * Neighbouring numbers with the same verdict are one range, and the ranges are the leaves of a balanced tree: no call
 * waits for more comparisons than the tree is deep. What the kernel can find out at once (5.11 and later note each
 * number that is allowed whatever its arguments are) is not run at all.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import type { Seccomp, SeccompArch, SeccompArgument, Word } from "../../spec/config.ts";
import type { CallInterface } from "./architectures.ts";
import { type Alternative, decide, KILL_THREAD, type Range, type Verdict } from "./decisions.ts";
import { BPF, Emitter, type Place, type Test } from "./emitter.ts";

/** Offsets in `struct seccomp_data` (`linux/seccomp.h`). */
const NUMBER = 0;
const ARCHITECTURE = 4;
const ARGUMENTS = 16;

/** The most instructions that the kernel takes (`linux/bpf_common.h`, BPF_MAXINSNS). */
const LARGEST = 4096;

/**
 * Compiles a profile.
 *
 * @param own the machine's own interface, which is filtered whether the profile lists it or not.
 * @returns `struct sock_filter`s, little-endian.
 * @throws {PaddockError} where the program is larger than the kernel takes.
 */
export function compileSeccomp(profile: Seccomp, own: SeccompArch): Uint8Array<ArrayBuffer> {
  const emitter = new Emitter();
  let other = emitter.return(KILL_THREAD);
  for (const { audit, ranges } of decide(profile, own).reverse()) {
    const tree = emitTree(emitter, ranges.map(({ first }) => first), (index) => emitVerdict(emitter, ranges[index]!));
    const block = emitter.lead(BPF.load, NUMBER, tree);
    other = emitter.branch(BPF.ifEqual, audit, block, other);
  }
  emitter.lead(BPF.load, ARCHITECTURE, other);
  if (emitter.length > LARGEST) {
    throw new PaddockError(
      `the seccomp profile needs ${emitter.length} instructions, and the kernel takes ${LARGEST}`,
      {
        hint: "fewer rules with conditions, or fewer architectures",
      },
    );
  }
  return emitter.finish();
}

/**
 * A tree that leads from the value in A to the last of the leaves whose first value is not above it; the first leaf
 * begins at 0.
 */
function emitTree(emitter: Emitter, firsts: readonly number[], emitLeaf: (index: number) => Place): Place {
  const emit = (from: number, end: number): Place => {
    if (end - from === 1) return emitLeaf(from);
    const middle = (from + end) >> 1;
    const right = emit(middle, end);
    const left = emit(from, middle);
    return emitter.branch(BPF.ifAtLeast, firsts[middle]!, right, left);
  };
  return emit(0, firsts.length);
}

function emitVerdict(emitter: Emitter, { verdict, layout }: Range): Place {
  const { alternatives, otherwise } = verdict;
  if (alternatives.length === 0) return emitter.return(otherwise);
  const steps = alternatives.length > 1 ? listSteps(verdict, layout) : undefined;
  if (steps !== undefined) return emitSteps(emitter, steps, layout);
  return alternatives.reduceRight(
    (next, alternative) => emitAlternative(emitter, alternative, next, layout),
    emitter.return(otherwise),
  );
}

/** All conditions, one after the other. */
function emitAlternative(
  emitter: Emitter,
  { conditions, answer }: Alternative,
  next: Place,
  layout: CallInterface,
): Place {
  return conditions.reduceRight(
    (yes, condition) => emitCondition(emitter, condition, { yes, no: next, layout }),
    emitter.return(answer),
  );
}

interface Fork {
  readonly yes: Place;
  readonly no: Place;
  readonly layout: CallInterface;
}

/** 64 bits are compared in halves, the upper first; no upper half counts where arguments have 32 bits. */
function emitCondition(emitter: Emitter, condition: SeccompArgument, { yes, no, layout }: Fork): Place {
  const { index, op } = condition;
  if (op === "SCMP_CMP_NE") {
    return emitCondition(emitter, { ...condition, op: "SCMP_CMP_EQ" }, { yes: no, no: yes, layout });
  }
  if (op === "SCMP_CMP_LT") {
    return emitCondition(emitter, { ...condition, op: "SCMP_CMP_GE" }, { yes: no, no: yes, layout });
  }
  if (op === "SCMP_CMP_LE") {
    return emitCondition(emitter, { ...condition, op: "SCMP_CMP_GT" }, { yes: no, no: yes, layout });
  }
  const [upper, lower] = halves(condition.value);
  const isWide = layout.bits === 64;
  if (op === "SCMP_CMP_MASKED_EQ") {
    const [upperValue, lowerValue] = halves(condition.valueTwo ?? 0);
    const rest = emitMasked(emitter, offsetOf(index, layout, "lower"), [lower, lowerValue], yes, no);
    return isWide ? emitMasked(emitter, offsetOf(index, layout, "upper"), [upper, upperValue], rest, no) : rest;
  }
  const test: Test = op === "SCMP_CMP_EQ" ? BPF.ifEqual : op === "SCMP_CMP_GT" ? BPF.ifGreater : BPF.ifAtLeast;
  const compared = emitter.branch(test, lower, yes, no);
  const rest = emitter.lead(BPF.load, offsetOf(index, layout, "lower"), compared);
  if (!isWide) return rest;
  const equal = emitter.branch(BPF.ifEqual, upper, rest, no);
  const above = op === "SCMP_CMP_EQ" ? equal : emitter.branch(BPF.ifGreater, upper, yes, equal);
  return emitter.lead(BPF.load, offsetOf(index, layout, "upper"), above);
}

/** Half an argument under a mask. What of the value the mask hides counts for nothing, as with libseccomp. */
function emitMasked(
  emitter: Emitter,
  offset: number,
  [mask, value]: readonly [number, number],
  yes: Place,
  no: Place,
): Place {
  const wanted = (mask & value) >>> 0;
  if (mask === 0) return yes;
  if (wanted === 0) return emitter.lead(BPF.load, offset, emitter.branch(BPF.ifAnyBit, mask, no, yes));
  const compared = emitter.branch(BPF.ifEqual, wanted, yes, no);
  const masked = mask === 0xffffffff ? compared : emitter.lead(BPF.and, mask, compared);
  return emitter.lead(BPF.load, offset, masked);
}

function offsetOf(index: number, { bigEndian }: CallInterface, half: "upper" | "lower"): number {
  return ARGUMENTS + 8 * index + ((half === "upper") === bigEndian ? 0 : 4);
}

/** Upper and lower 32 bits. */
function halves(value: Word): [number, number] {
  if (typeof value === "bigint") return [Number(value >> 32n), Number(value & 0xffffffffn)];
  return [Math.floor(value / 2 ** 32), value >>> 0];
}

/** An answer that holds for values of an argument from `first` on. */
interface Step {
  readonly first: number;
  readonly answer: number;
}

interface Steps {
  readonly index: number;
  /** In ascending order; the first begins at 0. */
  readonly steps: readonly Step[];
}

const WORD = 2 ** 32;

/**
 * Alternatives that are all about one argument, as a staircase over its values; undefined where a condition is about
 * another, has a mask, or counts beyond 32 bits.
 */
function listSteps({ alternatives, otherwise }: Verdict, { bits }: CallInterface): Steps | undefined {
  const index = alternatives[0]!.conditions[0]!.index;
  const tests: { holds: (value: number) => boolean; answer: number }[] = [];
  const firsts = new Set([0, WORD]);
  for (const { conditions, answer } of alternatives) {
    const [condition] = conditions;
    if (conditions.length !== 1 || condition === undefined || condition.index !== index) return undefined;
    const [upper, value] = halves(condition.value);
    if (condition.op === "SCMP_CMP_MASKED_EQ" || (bits === 64 && upper !== 0)) return undefined;
    const compare = COMPARISONS[condition.op];
    tests.push({ holds: (other) => compare(other, value), answer });
    firsts.add(value).add(value + 1);
  }
  const steps: Step[] = [];
  for (const first of [...firsts].sort((one, other) => one - other)) {
    if (bits === 32 && first === WORD) continue;
    const answer = tests.find(({ holds }) => holds(first))?.answer ?? otherwise;
    if (steps.at(-1)?.answer !== answer || first === WORD) steps.push({ first, answer });
  }
  return { index, steps };
}

const COMPARISONS = {
  SCMP_CMP_NE: (one: number, other: number) => one !== other,
  SCMP_CMP_LT: (one: number, other: number) => one < other,
  SCMP_CMP_LE: (one: number, other: number) => one <= other,
  SCMP_CMP_EQ: (one: number, other: number) => one === other,
  SCMP_CMP_GE: (one: number, other: number) => one >= other,
  SCMP_CMP_GT: (one: number, other: number) => one > other,
} as const;

/** A tree over the lower half; the last step is that of all values with an upper half. */
function emitSteps(emitter: Emitter, { index, steps }: Steps, layout: CallInterface): Place {
  const isWide = layout.bits === 64;
  const low = isWide ? steps.slice(0, -1) : steps;
  const large = isWide ? emitter.return(steps.at(-1)!.answer) : 0;
  const tree = emitTree(emitter, low.map(({ first }) => first), (place) => emitter.return(low[place]!.answer));
  const lower = emitter.lead(BPF.load, offsetOf(index, layout, "lower"), tree);
  if (!isWide) return lower;
  return emitter.lead(BPF.load, offsetOf(index, layout, "upper"), emitter.branch(BPF.ifEqual, 0, lower, large));
}
