/**
 * An interpreter of the classic BPF of seccomp filters, for tests: what a filter answers to a call, and how many
 * instructions that takes.
 *
 * @module
 */

/** A system call as a filter sees it. */
export interface Call {
  readonly number: number;
  /** `AUDIT_ARCH_*`. */
  readonly audit: number;
  /** Up to six; those left out are 0. */
  readonly args?: readonly (number | bigint)[];
  readonly bigEndian?: boolean;
}

/** What a filter has done. */
export interface Answer {
  /** `SECCOMP_RET_*` with its data. */
  readonly value: number;
  readonly instructions: number;
}

/**
 * Runs a filter on a call.
 *
 * @throws {RangeError} for what the kernel would refuse: an unknown instruction, a load beside the data, no end.
 */
export function runFilter(program: Uint8Array, call: Call): Answer {
  const code = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const data = layOut(call);
  const word = (offset: number) => data.getUint32(offset, call.bigEndian !== true);
  let a = 0;
  let instructions = 0;
  for (let at = 0; 8 * at < program.length; at++) {
    instructions++;
    const k = code.getUint32(8 * at + 4, true);
    const jump = (holds: boolean) => at += code.getUint8(8 * at + (holds ? 2 : 3));
    switch (code.getUint16(8 * at, true)) {
      case 0x20:
        a = word(k);
        break;
      case 0x54:
        a = (a & k) >>> 0;
        break;
      case 0x05:
        at += k;
        break;
      case 0x15:
        jump(a === k);
        break;
      case 0x25:
        jump(a > k);
        break;
      case 0x35:
        jump(a >= k);
        break;
      case 0x45:
        jump((a & k) !== 0);
        break;
      case 0x06:
        return { value: k, instructions };
      default:
        throw new RangeError(`instruction ${at} has the unknown code ${code.getUint16(8 * at, true)}`);
    }
  }
  throw new RangeError("the filter has no end");
}

/** `struct seccomp_data` (`man 2 seccomp`): number, architecture, instruction pointer, arguments. */
function layOut({ number, audit, args = [], bigEndian = false }: Call): DataView {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number, !bigEndian);
  data.setUint32(4, audit, !bigEndian);
  args.forEach((value, index) => data.setBigUint64(16 + 8 * index, BigInt.asUintN(64, BigInt(value)), !bigEndian));
  return data;
}
