/**
 * The compiler: a plan becomes a static ELF executable of a few kilobytes, the launcher.
 *
 * The file is two segments: one page with the ELF header and the interpreter, readable and executable; and the data,
 * readable and writable: a header, the table of steps, the plan's regions and structs, its strings, and last what is
 * only read when something fails (what each step does, the names of errors), so that those pages are never resident.
 *
 * @module
 */
import { ERRNO_TABLE } from "../base/errno.ts";
import { combine } from "./constants.ts";
import { elfExecutable } from "./elf.ts";
import { DATA_ADDRESS, HEADER_SIZE, OPERATION_BIT, STEP, stepSize } from "./interpreter.ts";
import {
  type Act,
  type Arg,
  type Block,
  type Field,
  type Operation,
  OPERATIONS,
  type Plan,
  type Region,
  type Step,
} from "./step.ts";
import { syscallNumber } from "./syscalls.ts";

/** What an argument of a step is, as kept in the program for people: four bits apiece. */
export const KINDS = ["none", "number", "flags", "text", "block", "region", "load", "result"] as const;
export type Kind = typeof KINDS[number];

/** The first bytes of a launcher's data, by which it is known. */
export const MAGIC = "paddock\0";
/** Changes with every change of the layout. */
export const LAYOUT_VERSION = 2;

/** Where the fields of the data header lie; all are 32-bit but the magic, the size and the last two. Addresses are of the running program. */
export const HEADER = {
  magic: 0,
  version: 8,
  arch: 12,
  size: 16,
  steps: 24,
  name: 32,
  nameLength: 36,
  errors: 40,
  whats: 44,
  status: 48,
  fault: 56,
} as const;

/**
 * Large empty regions lie here in memory and not in the file, far behind everything else, so that their addresses are
 * known before the file's size is. The gap is address space only.
 */
const BUFFERS_OFFSET = 0x40000;
const LARGEST_INLINE_REGION = 512;

/** Targets are 16 bits, in units of 8 bytes; and the table must end before the buffers begin. */
const LARGEST_TABLE = 0x30000;

/** Names that a plan may use in `{ region }` without declaring them: places that the compiler itself makes. */
export const BUILT_IN = {
  /** Start of the data segment: header, table, regions, strings. */
  data: "@data",
  /** 64-bit word: the container's wait status (`man 2 wait4`), once it has ended. */
  status: "@status",
  /** 64-bit word: the address of the step that failed; 0 as long as none has. */
  fault: "@fault",
  /** A 64-bit word that holds the size of the data segment's file part. */
  size: "@size",
  /** Table of error names and meanings: {u32 address, u32 length} by error number. */
  errors: "@errors",
  /** Table of what steps do: {u32 address, u32 length} by the index in the step. */
  whats: "@whats",
} as const;

/**
 * Compiles a plan.
 *
 * @returns an ELF executable for the plan's architecture.
 * @throws RangeError when the plan names a label, region, call or constant that does not exist: a mistake in a builder.
 */
export function assemble(plan: Plan): Uint8Array<ArrayBuffer> {
  const steps = numberSteps(plan);
  const memory = new Memory(plan, steps);
  const labels = indexLabels(steps);
  steps.forEach((placed, index) => writeStep({ placed, index, labels, memory, steps }));
  // Last, for it is read only when something fails.
  memory.writeWhats();
  return elfExecutable(plan.arch, memory.finish());
}

interface PlacedStep {
  readonly step: Step;
  readonly act: Act;
  readonly fault: string;
  /** Index of the first step of this act, and of the first step after it. */
  readonly first: number;
  readonly end: number;
}

function numberSteps(plan: Plan): PlacedStep[] {
  const placed: PlacedStep[] = [];
  for (const section of plan.sections) {
    for (const act of section.acts) {
      const first = placed.length;
      const end = first + act.steps.length;
      for (const step of act.steps) placed.push({ step, act, fault: section.fault, first, end });
    }
  }
  return placed;
}

function indexLabels(steps: readonly PlacedStep[]): Map<string, number> {
  const labels = new Map<string, number>();
  steps.forEach(({ step: { label } }, index) => {
    if (label === undefined) return;
    if (labels.has(label)) throw new RangeError(`plan: the label "${label}" stands twice`);
    labels.set(label, index);
  });
  return labels;
}

interface Site {
  readonly placed: PlacedStep;
  readonly index: number;
  readonly labels: ReadonlyMap<string, number>;
  readonly memory: Memory;
  readonly steps: readonly PlacedStep[];
}

function writeStep(site: Site): void {
  const { placed: { step, act, fault }, index, memory } = site;
  const at = memory.stepOffset(index);
  const operation = OPERATIONS.indexOf(step.call as Operation);
  const isOperation = step.call.startsWith("@");
  if (isOperation && operation === -1) throw new RangeError(`plan: the operation "${step.call}" is not known`);
  const number = isOperation ? OPERATION_BIT | operation : syscallNumber(step.call, memory.arch);
  if (step.args.length > 6) throw new RangeError(`plan: "${step.call}" has more than six arguments`);
  memory.view.setUint16(at + STEP.number, number, true);
  let indirect = 0;
  let kinds = 0;
  step.args.forEach((arg, place) => {
    const word = resolve(arg, site);
    if (word.indirect) indirect |= 1 << place;
    kinds |= KINDS.indexOf(word.kind) << (4 * place);
    memory.view.setBigUint64(at + STEP.args + 8 * place, BigInt.asUintN(64, word.value), true);
  });
  memory.view.setUint8(at + STEP.indirect, indirect);
  memory.view.setUint8(at + STEP.count, step.args.length);
  memory.view.setUint16(at + STEP.what, memory.whatIndex(act.what), true);
  memory.view.setUint32(at + STEP.kinds, kinds, true);
  const targets = [step.onNegative ?? (isOperation ? "next" : fault), step.onZero ?? "next", step.onPositive ?? "next"];
  targets.forEach((target, place) => {
    const units = (memory.stepOffset(resolveTarget(target, site)) - HEADER_SIZE) / 8;
    memory.view.setUint16(at + STEP.targets + 2 * place, units, true);
  });
}

function resolveTarget(target: string, { placed, index, labels, steps }: Site): number {
  const found = target === "next" ? index + 1 : target === "end" ? placed.end : labels.get(target);
  if (found === undefined) throw new RangeError(`plan: no step has the label "${target}" (${placed.act.what})`);
  // The last step of a program leads nowhere: it ends the process.
  if (found > steps.length) throw new RangeError(`plan: "${placed.act.what}" leads past the end`);
  return found;
}

interface Word {
  readonly value: bigint;
  readonly kind: Kind;
  readonly indirect?: boolean;
}

function resolve(arg: Arg, { placed, index, labels, memory }: Site): Word {
  if (typeof arg === "object" && "result" in arg) {
    const target = labels.get(arg.result);
    if (target === undefined) throw new RangeError(`plan: no step has the label "${arg.result}"`);
    return { value: BigInt(memory.resultAddress(target)), kind: "result", indirect: true };
  }
  if (typeof arg === "object" && "step" in arg) {
    const target = labels.get(arg.step);
    if (target === undefined) throw new RangeError(`plan: no step has the label "${arg.step}"`);
    return { value: BigInt(memory.resultAddress(target) - STEP.result), kind: "region" };
  }
  if (typeof arg === "object" && "previous" in arg) {
    const target = index - arg.previous;
    if (target < placed.first) throw new RangeError(`plan: previous(${arg.previous}) leaves "${placed.act.what}"`);
    return { value: BigInt(memory.resultAddress(target)), kind: "result", indirect: true };
  }
  if (typeof arg === "object" && "load" in arg) {
    return { value: memory.constant({ region: arg.load, offset: arg.offset ?? 0 }), kind: "load", indirect: true };
  }
  return { value: memory.constant(arg), kind: constantKind(arg) };
}

function constantKind(arg: Arg): Kind {
  if (typeof arg !== "object") return "number";
  return "flags" in arg ? "flags" : "text" in arg ? "text" : "block" in arg ? "block" : "region";
}

/** The data segment while it is being written. */
class Memory {
  readonly arch: Plan["arch"];
  #bytes = new Uint8Array(16384);
  view = new DataView(this.#bytes.buffer);
  #used: number;
  readonly #texts = new Map<string, number>();
  readonly #regions = new Map<string, number>();
  readonly #offsets: number[] = [];
  readonly #whats = new Map<string, number>();
  #whatsOffset = 0;
  readonly #blocks = new Map<string, number>();
  readonly #encoder = new TextEncoder();
  #buffersEnd = BUFFERS_OFFSET;

  constructor(plan: Plan, steps: readonly PlacedStep[]) {
    this.arch = plan.arch;
    let end = HEADER_SIZE;
    for (const { step } of steps) {
      this.#offsets.push(end);
      end += stepSize(step.args.length);
    }
    // Where a step after the last one would be, which is as far as "next" can lead.
    this.#offsets.push(end);
    if (end > LARGEST_TABLE) throw new RangeError(`plan: ${steps.length} steps are too many for a launcher`);
    // The machine code loads six arguments of the last step as well.
    this.#used = end + stepSize(6);
    this.#grow(this.#used);
    this.#bytes.set(this.#encoder.encode(MAGIC), HEADER.magic);
    this.view.setUint32(HEADER.version, LAYOUT_VERSION, true);
    this.view.setUint32(HEADER.arch, plan.arch === "x86_64" ? 62 : 183, true);
    this.view.setUint32(HEADER.steps, steps.length, true);
    this.#placeBuiltIns(steps);
    this.#placeRegions(plan.regions);
    const name = this.constant({ text: plan.name });
    this.view.setUint32(HEADER.name, Number(name), true);
    this.view.setUint32(HEADER.nameLength, this.#encoder.encode(plan.name).length, true);
  }

  #placeBuiltIns(steps: readonly PlacedStep[]): void {
    this.#regions.set(BUILT_IN.data, 0);
    this.#regions.set(BUILT_IN.size, HEADER.size);
    this.#regions.set(BUILT_IN.status, HEADER.status);
    this.#regions.set(BUILT_IN.fault, HEADER.fault);
    this.#whatsOffset = this.#reserve(8 * new Set(steps.map(({ act }) => act.what)).size, 8);
    this.#regions.set(BUILT_IN.whats, this.#whatsOffset);
    this.view.setUint32(HEADER.whats, DATA_ADDRESS + this.#whatsOffset, true);
  }

  stepOffset(index: number): number {
    return this.#offsets[index]!;
  }

  resultAddress(index: number): number {
    return DATA_ADDRESS + this.stepOffset(index) + STEP.result;
  }

  /** The value of an argument that is known now: for what lies in memory, its address. */
  constant(arg: Arg): bigint {
    if (typeof arg === "bigint") return arg;
    if (typeof arg === "number") return BigInt(arg);
    if ("flags" in arg) return combine(arg.flags, this.arch);
    if ("text" in arg) return BigInt(DATA_ADDRESS + this.#intern(arg.text) + (arg.offset ?? 0));
    if ("block" in arg) return BigInt(DATA_ADDRESS + this.#placeBlock(arg.block));
    if ("region" in arg) return BigInt(DATA_ADDRESS + this.#regionOffset(arg.region) + (arg.offset ?? 0));
    throw new RangeError("plan: a struct may hold only what is known before the program runs");
  }

  /** The place of these words in their table. */
  whatIndex(what: string): number {
    const known = this.#whats.get(what);
    if (known !== undefined) return known;
    this.#whats.set(what, this.#whats.size);
    return this.#whats.size - 1;
  }

  writeWhats(): void {
    [...this.#whats.keys()].forEach((what, index) => this.#writeSpan(this.#whatsOffset + 8 * index, what));
  }

  /** The finished segment: what is in the file, and how large it is in memory. */
  finish(): { readonly bytes: Uint8Array<ArrayBuffer>; readonly size: number } {
    const fileSize = this.#used;
    if (fileSize > BUFFERS_OFFSET) throw new RangeError(`plan: ${fileSize} bytes are too large for a launcher`);
    this.view.setUint32(HEADER.size, fileSize, true);
    const size = this.#buffersEnd === BUFFERS_OFFSET ? fileSize : this.#buffersEnd;
    return { bytes: this.#bytes.slice(0, fileSize), size };
  }

  #intern(value: string): number {
    const known = this.#texts.get(value);
    if (known !== undefined) return known;
    const bytes = this.#encoder.encode(`${value}\0`);
    const offset = this.#reserve(bytes.length, 1);
    this.#bytes.set(bytes, offset);
    this.#texts.set(value, offset);
    return offset;
  }

  /** Structs are constants: equal ones share one place. */
  #placeBlock(block: Block): number {
    const key = JSON.stringify(block, (_, value) => typeof value === "bigint" ? `${value}n` : value);
    const known = this.#blocks.get(key);
    if (known !== undefined) return known;
    const offset = this.#allocateBlock(block);
    this.#blocks.set(key, offset);
    return offset;
  }

  #allocateBlock(block: Block): number {
    const offset = this.#reserve(block.size, 8);
    this.#writeFields(offset, block.size, block.fields);
    return offset;
  }

  #placeRegions(regions: Plan["regions"]): void {
    for (const [name, region] of Object.entries(regions)) this.#regions.set(name, this.#placeRegion(region));
    for (const [name, { size, fields }] of Object.entries(regions)) {
      this.#writeFields(this.#regionOffset(name), size, fields ?? []);
    }
  }

  #placeRegion({ size, fields }: Region): number {
    if (fields !== undefined || size <= LARGEST_INLINE_REGION) return this.#reserve(size, 8);
    const offset = this.#buffersEnd;
    this.#buffersEnd += align(size, 16);
    return offset;
  }

  #regionOffset(name: string): number {
    if (name === BUILT_IN.errors && !this.#regions.has(name)) this.#regions.set(name, this.#placeErrors());
    const offset = this.#regions.get(name);
    if (offset === undefined) throw new RangeError(`plan: no region is called "${name}"`);
    return offset;
  }

  #placeErrors(): number {
    const last = ERRNO_TABLE.at(-1)?.[0] ?? 0;
    const table = this.#reserve(8 * (last + 1), 8);
    for (const [number, name, meaning] of ERRNO_TABLE) this.#writeSpan(table + 8 * number, `${name}: ${meaning}`);
    this.view.setUint32(HEADER.errors, DATA_ADDRESS + table, true);
    return table;
  }

  #writeSpan(at: number, value: string): void {
    const address = DATA_ADDRESS + this.#intern(value);
    this.view.setUint32(at, address, true);
    this.view.setUint32(at + 4, this.#encoder.encode(value).length, true);
  }

  #writeFields(offset: number, size: number, fields: readonly Field[]): void {
    for (const field of fields) {
      const length = "bytes" in field ? field.bytes.length : field.size;
      if (field.at + length > size) throw new RangeError(`plan: a field at ${field.at} leaves its struct of ${size}`);
      if ("bytes" in field) this.#bytes.set(field.bytes, offset + field.at);
      else this.#writeNumber(offset + field.at, field.size, this.constant(field.value));
    }
  }

  #writeNumber(at: number, size: 1 | 2 | 4 | 8, value: bigint): void {
    for (let i = 0; i < size; i++) this.#bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
  }

  #reserve(size: number, alignment: number): number {
    const offset = align(this.#used, alignment);
    this.#used = offset + size;
    this.#grow(this.#used);
    return offset;
  }

  #grow(needed: number): void {
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.view = new DataView(larger.buffer);
  }
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
