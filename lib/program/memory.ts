/**
 * The data segment of a launcher while it is being written.
 *
 * Every `run` goes through here in a cold engine: plain numbers and loops, a bigint only where a plan has one.
 *
 * @module
 */
import { ERRNO_TABLE } from "../base/errno.ts";
import { combine } from "./constants.ts";
import { DATA_ADDRESS, HEADER_SIZE, STEP, stepSize } from "./interpreter.ts";
import { BUILT_IN, HEADER, LAYOUT_VERSION, MAGIC } from "./layout.ts";
import type { Arch, Block, Constant, Field, Plan, Region } from "./step.ts";

/**
 * Large empty regions lie here in memory and not in the file, far behind everything else, so that their addresses are
 * known before the file's size is. The gap is address space only.
 */
const BUFFERS_OFFSET = 0x200000;
const LARGEST_INLINE_REGION = 512;
const PAGE = 4096;

/** Targets are 16 bits, in units of 8 bytes; and the table must end before the buffers begin. */
const LARGEST_TABLE = 0x30000;

/** How many steps there are, and how many arguments each has. */
export interface TableShape {
  readonly argumentCounts: readonly number[];
  /** Different words of what steps do. */
  readonly whatCount: number;
}

/** Header, table, regions, structs and strings. */
export class Memory {
  readonly arch: Arch;
  #bytes = new Uint8Array(65536);
  #view = new DataView(this.#bytes.buffer);
  /** The same memory in 32-bit words; another object whenever it has grown. */
  words = new Uint32Array(this.#bytes.buffer);
  #used: number;
  #buffersEnd = BUFFERS_OFFSET;
  readonly #offsets: number[] = [];
  readonly #texts = new Map<string, number>();
  readonly #regions = new Map<string, number>();
  readonly #blocks = new Map<Block, number>();
  readonly #whats = new Map<string, number>();
  #whatsOffset = 0;

  constructor(plan: Pick<Plan, "arch" | "name" | "regions" | "written">, { argumentCounts, whatCount }: TableShape) {
    this.arch = plan.arch;
    let end = HEADER_SIZE;
    for (const count of argumentCounts) {
      this.#offsets.push(end);
      end += stepSize(count);
    }
    // Where a step after the last one would be, which is as far as "next" can lead.
    this.#offsets.push(end);
    if (end > LARGEST_TABLE) throw new RangeError(`plan: ${argumentCounts.length} steps are too many for a launcher`);
    // The machine code loads six arguments of the last step as well.
    this.#used = end + stepSize(6);
    this.#grow();
    this.#writeHeader(plan, argumentCounts.length, whatCount);
    this.#placeRegions(plan.regions);
    for (const one of plan.written ?? []) typeof one === "string" ? this.#intern(one) : this.#placeBlock(one);
    this.#regions.set(BUILT_IN.constants, this.#used);
  }

  #writeHeader({ arch, name }: Pick<Plan, "arch" | "name">, steps: number, whatCount: number): void {
    this.#writeText(HEADER.magic, MAGIC);
    this.#view.setUint32(HEADER.version, LAYOUT_VERSION, true);
    this.#view.setUint32(HEADER.arch, arch === "x86_64" ? 62 : 183, true);
    this.#view.setUint32(HEADER.steps, steps, true);
    this.#whatsOffset = this.#reserve(8 * whatCount, 8);
    this.#view.setUint32(HEADER.whats, DATA_ADDRESS + this.#whatsOffset, true);
    this.#writeSpan(HEADER.name, name);
    this.#regions.set(BUILT_IN.data, 0);
    this.#regions.set(BUILT_IN.size, HEADER.size);
    this.#regions.set(BUILT_IN.status, HEADER.status);
    this.#regions.set(BUILT_IN.fault, HEADER.fault);
    this.#regions.set(BUILT_IN.whats, this.#whatsOffset);
  }

  /** Where a step lies in the segment. */
  stepOffset(index: number): number {
    return this.#offsets[index]!;
  }

  /** Where a step's result lies in the running program. */
  resultAddress(index: number): number {
    return DATA_ADDRESS + this.#offsets[index]! + STEP.result;
  }

  /** The value of an argument that is known now: for what lies in memory, its address. */
  constant(arg: Constant): number | bigint {
    if (typeof arg !== "object") return arg;
    if ("text" in arg) return DATA_ADDRESS + this.#intern(arg.text) + (arg.offset ?? 0);
    if ("flags" in arg) return combine(arg.flags, this.arch);
    if ("block" in arg) return DATA_ADDRESS + this.#placeBlock(arg.block) + (arg.offset ?? 0);
    return this.regionAddress(arg.region, arg.offset);
  }

  /** Where a region lies in the running program. */
  regionAddress(name: string, offset = 0): number {
    if (name === BUILT_IN.errors && !this.#regions.has(name)) this.#regions.set(name, this.#placeErrors());
    const found = this.#regions.get(name);
    if (found === undefined) throw new RangeError(`plan: no region is called "${name}"`);
    return DATA_ADDRESS + found + offset;
  }

  /** Writes 64 bits at a place counted in 32-bit words; a negative number in two's complement. */
  writeWord(at: number, value: number | bigint): void {
    if (typeof value === "bigint") this.#view.setBigUint64(4 * at, BigInt.asUintN(64, value), true);
    else {
      // An element takes a number modulo 2^32.
      this.words[at] = value;
      this.words[at + 1] = Math.floor(value / 2 ** 32);
    }
  }

  /** The place of these words in their table. */
  whatIndex(what: string): number {
    const known = this.#whats.get(what);
    if (known !== undefined) return known;
    const index = this.#whats.size;
    this.#whats.set(what, index);
    return index;
  }

  /** Writes the table of words. */
  writeWhats(): void {
    let at = this.#whatsOffset;
    for (const what of this.#whats.keys()) {
      this.#writeSpan(at, what);
      at += 8;
    }
  }

  /** The finished segment: what is in the file, and how large it is in memory. */
  finish(): { readonly bytes: Uint8Array<ArrayBuffer>; readonly size: number } {
    const fileSize = this.#used;
    if (fileSize > BUFFERS_OFFSET) throw new RangeError(`plan: ${fileSize} bytes are too large for a launcher`);
    this.#view.setUint32(HEADER.size, fileSize, true);
    const size = this.#buffersEnd === BUFFERS_OFFSET ? fileSize : this.#buffersEnd;
    return { bytes: this.#bytes.subarray(0, fileSize), size };
  }

  /** Equal strings share one place. */
  #intern(value: string): number {
    const known = this.#texts.get(value);
    if (known !== undefined) return known;
    const offset = this.#used;
    // A character is at most three bytes (of two halves of a pair, four together); and the terminator.
    this.#reserve(3 * value.length + 1, 1);
    this.#used = offset + this.#writeText(offset, value) + 1;
    this.#texts.set(value, offset);
    return offset;
  }

  /** Writes UTF-8 and gives its length. Almost all strings are ASCII, and short: a loop beats a call to the encoder. */
  #writeText(at: number, value: string): number {
    const { length } = value;
    for (let i = 0; i < length; i++) {
      const code = value.charCodeAt(i);
      if (code > 0x7f) return new TextEncoder().encodeInto(value, this.#bytes.subarray(at)).written;
      this.#bytes[at + i] = code;
    }
    return length;
  }

  /** Structs are constants: one that is used many times has one place. */
  #placeBlock(block: Block): number {
    const known = this.#blocks.get(block);
    if (known !== undefined) return known;
    const offset = this.#reserve(block.size, 8);
    this.#blocks.set(block, offset);
    this.#writeFields(offset, block.size, block.fields);
    return offset;
  }

  #placeRegions(regions: Plan["regions"]): void {
    for (const name in regions) this.#regions.set(name, this.#placeRegion(regions[name]!));
    for (const name in regions) {
      const { size, fields = [] } = regions[name]!;
      this.#writeFields(this.#regions.get(name)!, size, fields);
    }
  }

  #placeRegion({ size, fields }: Region): number {
    if (fields !== undefined || size <= LARGEST_INLINE_REGION) return this.#reserve(size, 8);
    // Whole pages can be given back.
    const offset = align(this.#buffersEnd, size >= PAGE ? PAGE : 16);
    this.#buffersEnd = offset + size;
    return offset;
  }

  #placeErrors(): number {
    const last = ERRNO_TABLE.at(-1)?.[0] ?? 0;
    const table = this.#reserve(8 * (last + 1), 8);
    for (const [number, name, meaning] of ERRNO_TABLE) this.#writeSpan(table + 8 * number, `${name}: ${meaning}`);
    this.#view.setUint32(HEADER.errors, DATA_ADDRESS + table, true);
    return table;
  }

  /** The address of a string and, after it, its length in bytes, 32 bits each. */
  #writeSpan(at: number, value: string): void {
    const offset = this.#intern(value);
    this.#view.setUint32(at, DATA_ADDRESS + offset, true);
    this.#view.setUint32(at + 4, this.#bytes.indexOf(0, offset) - offset, true);
  }

  #writeFields(offset: number, size: number, fields: readonly Field[]): void {
    for (const field of fields) {
      const length = "bytes" in field ? field.bytes.length : field.size;
      if (field.at + length > size) throw new RangeError(`plan: a field at ${field.at} leaves its struct of ${size}`);
      if ("bytes" in field) this.#bytes.set(field.bytes, offset + field.at);
      else this.#writeNumber(offset + field.at, field.size, this.constant(field.value));
    }
  }

  #writeNumber(at: number, size: 1 | 2 | 4 | 8, value: number | bigint): void {
    if (size === 8) this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
    else if (size === 4) this.#view.setUint32(at, Number(value) >>> 0, true);
    else if (size === 2) this.#view.setUint16(at, Number(value), true);
    else this.#view.setUint8(at, Number(value));
  }

  #reserve(size: number, alignment: number): number {
    const offset = align(this.#used, alignment);
    this.#used = offset + size;
    this.#grow();
    return offset;
  }

  #grow(): void {
    if (this.#used <= this.#bytes.length) return;
    const larger = new Uint8Array(align(Math.max(this.#used, 2 * this.#bytes.length), 8));
    larger.set(this.#bytes);
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
    this.words = new Uint32Array(larger.buffer);
  }
}

function align(value: number, to: number): number {
  return Math.ceil(value / to) * to;
}
