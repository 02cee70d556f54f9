/**
 * The smallest ELF executable that Linux accepts with code and data apart (`man 5 elf`).
 *
 * @module
 */
import { CODE_OFFSET, DATA_ADDRESS, DATA_OFFSET, interpreterCode, TEXT_ADDRESS } from "./interpreter.ts";
import type { Arch } from "./step.ts";

const MACHINE: Readonly<Record<Arch, number>> = { x86_64: 62, aarch64: 183 };
const LARGEST_PAGE = 0x10000n;
const HEADER_SIZE = 64;
const PROGRAM_HEADER_SIZE = 56;

const PT_LOAD = 1;
const PT_GNU_STACK = 0x6474e551;
const PF_X = 1;
const PF_W = 2;
const PF_R = 4;

/**
 * A static executable: the interpreter, and `data` at `DATA_ADDRESS`.
 *
 * @param data `bytes` go into the file; in memory the segment is `size` bytes, the rest zero.
 */
export function elfExecutable(
  arch: Arch,
  data: { readonly bytes: Uint8Array; readonly size: number },
): Uint8Array<ArrayBuffer> {
  const code = interpreterCode(arch);
  const file = new Uint8Array(DATA_OFFSET + data.bytes.length);
  const codeEnd = CODE_OFFSET + code.length;
  file.set(elfHeader(arch));
  const headers = [
    programHeader({ type: PT_LOAD, flags: PF_R | PF_X, offset: 0, address: TEXT_ADDRESS, fileSize: codeEnd }),
    programHeader({
      type: PT_LOAD,
      flags: PF_R | PF_W,
      offset: DATA_OFFSET,
      address: DATA_ADDRESS,
      fileSize: data.bytes.length,
      size: data.size,
    }),
    // Says that the stack need not be executable; without it the kernel makes every readable page executable.
    programHeader({ type: PT_GNU_STACK, flags: PF_R | PF_W, offset: 0, address: 0, fileSize: 0 }),
  ];
  headers.forEach((header, index) => file.set(header, HEADER_SIZE + index * PROGRAM_HEADER_SIZE));
  file.set(code, CODE_OFFSET);
  file.set(data.bytes, DATA_OFFSET);
  return file;
}

function elfHeader(arch: Arch): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]); // ELF, 64 bits, little-endian, version 1
  view.setUint16(16, 2, true); // ET_EXEC
  view.setUint16(18, MACHINE[arch], true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(TEXT_ADDRESS + CODE_OFFSET), true); // entry
  view.setBigUint64(32, BigInt(HEADER_SIZE), true); // program headers
  view.setUint16(52, HEADER_SIZE, true);
  view.setUint16(54, PROGRAM_HEADER_SIZE, true);
  view.setUint16(56, 3, true);
  return bytes;
}

interface Segment {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly address: number;
  readonly fileSize: number;
  readonly size?: number;
}

function programHeader(segment: Segment): Uint8Array {
  const bytes = new Uint8Array(PROGRAM_HEADER_SIZE);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, segment.type, true);
  view.setUint32(4, segment.flags, true);
  const words = [segment.offset, segment.address, segment.address, segment.fileSize, segment.size ?? segment.fileSize];
  words.forEach((word, index) => view.setBigUint64(8 + 8 * index, BigInt(word), true));
  view.setBigUint64(48, segment.type === PT_LOAD ? LARGEST_PAGE : 16n, true);
  return bytes;
}
