/**
 * The compiler: a plan becomes a static ELF executable of some forty kilobytes, the launcher.
 *
 * The file is two segments: one page with the ELF header and the interpreter, readable and executable; and the data,
 * readable and writable: a header, the table of steps, the plan's regions and structs, its strings, and last what is
 * only read when something fails (what each step does, the names of errors), so that those pages are never resident.
 *
 * @module
 */
import { elfExecutable } from "./elf.ts";
import { DATA_OFFSET, HEADER_SIZE, OPERATION_BIT, STEP } from "./interpreter.ts";
import { HEADER, type Kind, KINDS } from "./layout.ts";
import { Memory } from "./memory.ts";
import { type Act, type Arg, type Operation, OPERATIONS, type Plan, type Step } from "./step.ts";
import { syscallNumber } from "./syscalls.ts";

/**
 * Compiles a plan.
 *
 * @returns an ELF executable for the plan's architecture.
 * @throws RangeError when the plan names a label, region, call or constant that does not exist: a mistake in a builder.
 */
export function assemble(plan: Plan): Uint8Array<ArrayBuffer> {
  const steps = placeSteps(plan);
  const argumentCounts = steps.map(({ step }) => step.args.length);
  const memory = new Memory(plan, { argumentCounts, whatCount: new Set(steps.map(({ act }) => act.what)).size });
  const assembler = new Assembler(steps, memory);
  for (let index = 0; index < steps.length; index++) assembler.writeStep(index);
  // Last, for it is read only when something fails.
  memory.writeWhats();
  return elfExecutable(plan.arch, memory.finish());
}

/**
 * A copy of a program whose status says that it was made just now: it need not look whether everything is as it was
 * (`lib/plan/freshness.ts`).
 */
export function markJustMade(program: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const copy = program.slice();
  copy[DATA_OFFSET + HEADER.status] = JUST_MADE;
  return copy;
}

/** What the status holds then, before there is one. */
const JUST_MADE = 1;

interface PlacedStep {
  readonly step: Step;
  readonly act: Act;
  /** Label of the fault handler. */
  readonly fault: string;
  /** Index of the first step of this act, and of the first step after it. */
  readonly first: number;
  readonly end: number;
}

function placeSteps(plan: Plan): PlacedStep[] {
  const placed: PlacedStep[] = [];
  for (const { acts, fault } of plan.sections) {
    for (const act of acts) {
      const first = placed.length;
      const end = first + act.steps.length;
      for (const step of act.steps) placed.push({ step, act, fault, first, end });
    }
  }
  return placed;
}

const KIND = Object.fromEntries(KINDS.map((kind, number) => [kind, number])) as Readonly<Record<Kind, number>>;

/** Writes the rows of the table, 32 bits at a time (the layout is in interpreter.ts; both architectures are little-endian). */
class Assembler {
  readonly #labels = new Map<string, number>();

  constructor(private readonly steps: readonly PlacedStep[], private readonly memory: Memory) {
    for (let index = 0; index < steps.length; index++) {
      const { label } = steps[index]!.step;
      if (label === undefined) continue;
      if (this.#labels.has(label)) throw new RangeError(`plan: the label "${label}" stands twice`);
      this.#labels.set(label, index);
    }
  }

  writeStep(index: number): void {
    const { step: { call, args, onNegative, onZero = "next", onPositive = "next" }, act, fault } = this.steps[index]!;
    const { memory } = this;
    const isOperation = call.startsWith("@");
    const number = isOperation ? operationNumber(call) : syscallNumber(call, memory.arch);
    if (args.length > 6) throw new RangeError(`plan: "${call}" has more than six arguments`);
    const at = memory.stepOffset(index) / 4;
    let indirect = 0;
    let kinds = 0;
    for (let place = 0; place < args.length; place++) {
      const arg = args[place]!;
      const kind = kindOf(arg);
      if (kind === KIND.result || kind === KIND.load) indirect |= 1 << place;
      kinds |= kind << (4 * place);
      memory.writeWord(at + STEP.args / 4 + 2 * place, this.#resolve(arg, index));
    }
    const negative = this.#target(index, onNegative ?? (isOperation ? "next" : fault));
    // After the arguments: a struct or string among them may have moved the memory.
    const { words } = memory;
    words[at + STEP.number / 4] = number | (indirect << 16) | (args.length << 24);
    words[at + STEP.kinds / 4] = kinds;
    words[at + STEP.targets / 4] = negative | (this.#target(index, onZero) << 16);
    words[at + STEP.targets / 4 + 1] = this.#target(index, onPositive) | (memory.whatIndex(act.what) << 16);
  }

  /** Where a target lies, in units of 8 bytes from the table's start. */
  #target(index: number, target: string): number {
    if (target === "next") return (this.memory.stepOffset(index + 1) - HEADER_SIZE) / 8;
    const { act, end } = this.steps[index]!;
    const found = target === "end" ? end : this.#labels.get(target);
    if (found === undefined) throw new RangeError(`plan: no step has the label "${target}" (${act.what})`);
    return (this.memory.stepOffset(found) - HEADER_SIZE) / 8;
  }

  #resolve(arg: Arg, index: number): number | bigint {
    if (typeof arg !== "object") return arg;
    if ("previous" in arg) return this.memory.resultAddress(this.#findPrevious(arg.previous, index));
    if ("result" in arg) return this.memory.resultAddress(this.#findLabel(arg.result));
    if ("load" in arg) return this.memory.regionAddress(arg.load, arg.offset);
    if ("step" in arg) return this.memory.resultAddress(this.#findLabel(arg.step)) - STEP.result;
    return this.memory.constant(arg);
  }

  #findLabel(label: string): number {
    const found = this.#labels.get(label);
    if (found === undefined) throw new RangeError(`plan: no step has the label "${label}"`);
    return found;
  }

  #findPrevious(back: number, index: number): number {
    const { act, first } = this.steps[index]!;
    if (index - back < first) throw new RangeError(`plan: previous(${back}) leaves "${act.what}"`);
    return index - back;
  }
}

function operationNumber(call: string): number {
  const number = OPERATIONS.indexOf(call as Operation);
  if (number === -1) throw new RangeError(`plan: the operation "${call}" is not known`);
  return OPERATION_BIT | number;
}

function kindOf(arg: Arg): number {
  if (typeof arg !== "object") return KIND.number;
  if ("text" in arg) return KIND.text;
  if ("previous" in arg || "result" in arg) return KIND.result;
  if ("flags" in arg) return KIND.flags;
  if ("block" in arg) return KIND.block;
  return "load" in arg ? KIND.load : KIND.region;
}
