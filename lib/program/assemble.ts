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
import { HEADER_SIZE, OPERATION_BIT, STEP } from "./interpreter.ts";
import { type Kind, KINDS } from "./layout.ts";
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

/** Writes the rows of the table. */
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
    const { step, act, fault } = this.steps[index]!;
    const { memory } = this;
    const { view } = memory;
    const at = memory.stepOffset(index);
    const isOperation = step.call.startsWith("@");
    if (step.args.length > 6) throw new RangeError(`plan: "${step.call}" has more than six arguments`);
    view.setUint16(
      at + STEP.number,
      isOperation ? operationNumber(step.call) : syscallNumber(step.call, memory.arch),
      true,
    );
    view.setUint8(at + STEP.count, step.args.length);
    view.setUint16(at + STEP.what, memory.whatIndex(act.what), true);
    this.#writeTarget(index, 0, step.onNegative ?? (isOperation ? "next" : fault));
    this.#writeTarget(index, 1, step.onZero ?? "next");
    this.#writeTarget(index, 2, step.onPositive ?? "next");
    this.#writeArguments(index, at);
  }

  #writeArguments(index: number, at: number): void {
    const { args } = this.steps[index]!.step;
    let indirect = 0;
    let kinds = 0;
    for (let place = 0; place < args.length; place++) {
      const arg = args[place]!;
      const kind = kindOf(arg);
      if (kind === KIND.result || kind === KIND.load) indirect |= 1 << place;
      kinds |= kind << (4 * place);
      const value = this.#resolve(arg, index);
      // Structs and strings may have moved the view.
      this.memory.writeWord(at + STEP.args + 8 * place, value);
    }
    this.memory.view.setUint8(at + STEP.indirect, indirect);
    this.memory.view.setUint32(at + STEP.kinds, kinds, true);
  }

  #writeTarget(index: number, place: number, target: string): void {
    const { act, end } = this.steps[index]!;
    const found = target === "next" ? index + 1 : target === "end" ? end : this.#labels.get(target);
    if (found === undefined) throw new RangeError(`plan: no step has the label "${target}" (${act.what})`);
    const { memory } = this;
    const units = (memory.stepOffset(found) - HEADER_SIZE) / 8;
    memory.view.setUint16(memory.stepOffset(index) + STEP.targets + 2 * place, units, true);
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
