/**
 * Reading a launcher back: from its file, or from the data that a launcher which met a failure left behind.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { HEADER, type Kind, KINDS, LAYOUT_VERSION, MAGIC } from "./layout.ts";
import { DATA_ADDRESS, DATA_OFFSET, HEADER_SIZE, OPERATION_BIT, STEP, stepSize } from "./interpreter.ts";
import { type Arch, OPERATIONS } from "./step.ts";
import { syscallName } from "./syscalls.ts";

/** A launcher's table as it stands in its file, or as it stood when its data was written out. */
export interface Program {
  readonly arch: Arch;
  readonly name: string;
  readonly steps: readonly DecodedStep[];
  /** The container's wait status (`man 2 wait4`); meaningful once it has ended. */
  readonly status: number;
  /** The step that failed, if one did. */
  readonly fault: DecodedStep | undefined;
  /** The data segment itself, for what lies beside the table. */
  readonly data: Uint8Array;
}

/** One row of the table. */
export interface DecodedStep {
  readonly index: number;
  /** Name of the system call or operation. */
  readonly call: string;
  readonly args: readonly DecodedArg[];
  readonly what: string;
  /** 0 until the step has run; then its result, or the negative error number. */
  readonly result: number;
  /** Indices of the steps that follow a result below zero, zero, and above zero. */
  readonly targets: readonly [number, number, number];
}

/** An argument: what it is, its value or address, and for a text the text. */
export interface DecodedArg {
  readonly kind: Kind;
  readonly value: bigint;
  readonly text?: string;
  /** For the result of another step: that step's index. */
  readonly step?: number;
}

/**
 * Reads the table of a launcher's file.
 *
 * @throws PaddockError when the bytes are not a launcher, or one of another layout.
 */
export function decodeProgram(file: Uint8Array): Program {
  if (file.length < DATA_OFFSET + HEADER_SIZE) throw notALauncher();
  return decodeData(file.subarray(DATA_OFFSET));
}

/**
 * Reads a launcher's data segment, as its failure path writes it out.
 *
 * @throws PaddockError when the bytes are not a launcher's data.
 */
export function decodeData(data: Uint8Array): Program {
  const reader = new Reader(data);
  if (reader.string(0, MAGIC.length) !== MAGIC) throw notALauncher();
  const version = reader.u32(HEADER.version);
  if (version !== LAYOUT_VERSION) {
    throw new PaddockError(`this launcher has layout ${version}, and this paddock reads layout ${LAYOUT_VERSION}`, {
      hint: "compile it again, or use the paddock that made it",
    });
  }
  const arch: Arch = reader.u32(HEADER.arch) === 62 ? "x86_64" : "aarch64";
  const count = reader.u32(HEADER.steps);
  const offsets = findSteps(reader, count, data.length);
  const steps = offsets.map((_, index) => decodeStep({ reader, arch, offsets }, index));
  const fault = Number(reader.u64(HEADER.fault));
  return {
    arch,
    name: reader.span(HEADER.name),
    steps,
    status: Number(reader.u64(HEADER.status) & 0xffffffffn),
    fault: fault === 0 ? undefined : steps[offsets.indexOf(fault - DATA_ADDRESS)],
    data,
  };
}

/** Where each step begins: a step says how many arguments it has. */
function findSteps(reader: Reader, count: number, size: number): number[] {
  const offsets: number[] = [];
  let at = HEADER_SIZE;
  for (let index = 0; index < count; index++) {
    if (at + STEP.args > size) throw notALauncher();
    const argumentCount = reader.u8(at + STEP.count);
    if (argumentCount > 6 || at + stepSize(argumentCount) > size) throw notALauncher();
    offsets.push(at);
    at += stepSize(argumentCount);
  }
  return offsets;
}

interface Table {
  readonly reader: Reader;
  readonly arch: Arch;
  readonly offsets: readonly number[];
}

function decodeStep(table: Table, index: number): DecodedStep {
  const { reader, arch, offsets } = table;
  const at = offsets[index]!;
  const number = reader.u16(at + STEP.number);
  const kinds = reader.u32(at + STEP.kinds);
  const args = Array.from({ length: reader.u8(at + STEP.count) }, (_, place) => {
    const kind = KINDS[(kinds >>> (4 * place)) & 15] ?? "number";
    return decodeArg(table, kind, reader.u64(at + STEP.args + 8 * place));
  });
  const target = (place: number) => {
    const offset = HEADER_SIZE + 8 * reader.u16(at + STEP.targets + 2 * place);
    const found = offsets.indexOf(offset);
    return found === -1 ? offsets.length : found;
  };
  return {
    index,
    call: number & OPERATION_BIT
      ? OPERATIONS[number & ~OPERATION_BIT] ?? `@${number & ~OPERATION_BIT}`
      : syscallName(number, arch) ?? `#${number}`,
    args,
    what: reader.span(reader.u32(HEADER.whats) - DATA_ADDRESS + 8 * reader.u16(at + STEP.what)),
    result: Number(BigInt.asIntN(64, reader.u64(at + STEP.result))),
    targets: [target(0), target(1), target(2)],
  };
}

function decodeArg({ reader, offsets }: Table, kind: Kind, value: bigint): DecodedArg {
  const offset = Number(value) - DATA_ADDRESS;
  if (kind === "text") return { kind, value, text: reader.cString(offset) };
  if (kind === "result") return { kind, value, step: offsets.indexOf(offset - STEP.result) };
  return { kind, value: kind === "number" ? BigInt.asIntN(64, value) : value };
}

function notALauncher(): PaddockError {
  return new PaddockError("this file is not a launcher made by `paddock compile`");
}

/** Bounds-checked reading: the bytes may come from anywhere. */
class Reader {
  readonly #view: DataView;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(at: number): number {
    return this.#view.getUint8(this.#check(at, 1));
  }

  u16(at: number): number {
    return this.#view.getUint16(this.#check(at, 2), true);
  }

  u32(at: number): number {
    return this.#view.getUint32(this.#check(at, 4), true);
  }

  u64(at: number): bigint {
    return this.#view.getBigUint64(this.#check(at, 8), true);
  }

  /** The place itself, if so many bytes are there. */
  #check(at: number, size: number): number {
    if (at < 0 || at + size > this.#bytes.length) throw notALauncher();
    return at;
  }

  string(at: number, length: number): string {
    return new TextDecoder().decode(this.#bytes.subarray(Math.max(0, at), Math.max(0, at + length)));
  }

  cString(at: number): string {
    const end = this.#bytes.indexOf(0, at);
    return this.string(at, (end === -1 ? this.#bytes.length : end) - at);
  }

  /** The words that a pair {u32 address, u32 length} points at. */
  span(at: number): string {
    return this.string(this.u32(at) - DATA_ADDRESS, this.u32(at + 4));
  }
}
