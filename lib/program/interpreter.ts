/**
 * The launcher's interpreter: the machine code that walks the table of steps, beside its listing.
 *
 * It uses no stack, no heap and no relocation: registers and the table are all there is, so that parent and child may
 * run it in one address space (`CLONE_VM`). A step is 24 bytes and 8 for each argument; the machine code loads six
 * arguments whether they are there or not, and what it loads beyond them a call does not look at:
 *
 * ```
 *  0  u16  number of the system call; bit 15 set: operation number
 *  2  u8   bit n set: argument n is the address of its value
 *  3  u8   how many arguments there are
 *  4  u32  what each argument is, four bits apiece, for people
 *  8  i64  result
 * 16  u16  × 3 where to go with a result below zero, zero, above zero, in units of 8 bytes from the table's start
 * 22  u16  what the step does: an index into the table of words
 * 24  u64  × n arguments
 * ```
 *
 * A test disassembles the bytes and compares them with the listing.
 *
 * @module
 */
import type { Arch } from "./step.ts";

/** Where the parts lie in memory. Both segments are congruent to their file offsets modulo 64 KiB, the largest page. */
export const TEXT_ADDRESS = 0x400000;
export const CODE_OFFSET = 0x100;
export const DATA_OFFSET = 0x1000;
export const DATA_ADDRESS = 0x601000;
export const HEADER_SIZE = 0x40;
export const TABLE_ADDRESS = DATA_ADDRESS + HEADER_SIZE;

/** Where the fields of a step lie. */
export const STEP = {
  number: 0,
  indirect: 2,
  count: 3,
  kinds: 4,
  result: 8,
  targets: 16,
  what: 22,
  args: 24,
} as const;

/** Bytes of a step. */
export function stepSize(argumentCount: number): number {
  return STEP.args + 8 * argumentCount;
}

/** Bit 15 of a step's number: an operation, not a system call. */
export const OPERATION_BIT = 0x8000;

/** Bytes and mnemonic of one instruction. */
export type Instruction = readonly [bytes: string, mnemonic: string];

/** x86_64, as `objdump -M intel` prints it. Linux clears the registers at exec, so r15 starts as 0. */
const X86_64: readonly Instruction[] = [
  // the table of steps
  ["bd 40 10 60 00", "mov ebp,0x601040"],
  // rbx: the step to do
  ["48 89 eb", "mov rbx,rbp"],
  // NEXT: number of the call in the low half, indirect arguments in the high
  ["8b 0b", "mov ecx,DWORD PTR [rbx]"],
  ["48 8b 7b 18", "mov rdi,QWORD PTR [rbx+0x18]"],
  ["48 8b 73 20", "mov rsi,QWORD PTR [rbx+0x20]"],
  ["48 8b 53 28", "mov rdx,QWORD PTR [rbx+0x28]"],
  ["4c 8b 53 30", "mov r10,QWORD PTR [rbx+0x30]"],
  ["4c 8b 43 38", "mov r8,QWORD PTR [rbx+0x38]"],
  ["4c 8b 4b 40", "mov r9,QWORD PTR [rbx+0x40]"],
  // an indirect argument is the address of its value
  ["0f ba e1 10", "bt ecx,0x10"],
  ["73 03", "jae 0x2b"],
  ["48 8b 3f", "mov rdi,QWORD PTR [rdi]"],
  ["0f ba e1 11", "bt ecx,0x11"],
  ["73 03", "jae 0x34"],
  ["48 8b 36", "mov rsi,QWORD PTR [rsi]"],
  ["0f ba e1 12", "bt ecx,0x12"],
  ["73 03", "jae 0x3d"],
  ["48 8b 12", "mov rdx,QWORD PTR [rdx]"],
  ["0f ba e1 13", "bt ecx,0x13"],
  ["73 03", "jae 0x46"],
  ["4d 8b 12", "mov r10,QWORD PTR [r10]"],
  ["0f ba e1 14", "bt ecx,0x14"],
  ["73 03", "jae 0x4f"],
  ["4d 8b 00", "mov r8,QWORD PTR [r8]"],
  ["0f ba e1 15", "bt ecx,0x15"],
  ["73 03", "jae 0x58"],
  ["4d 8b 09", "mov r9,QWORD PTR [r9]"],
  ["0f b7 c1", "movzx eax,cx"],
  // bit 15: an operation of ours
  ["0f ba f0 0f", "btr eax,0xf"],
  ["72 26", "jb 0x87"],
  ["0f 05", "syscall"],
  // DONE: keep the result
  ["48 89 43 08", "mov QWORD PTR [rbx+0x8],rax"],
  // where to go: below zero, zero, above
  ["48 8d 4b 10", "lea rcx,[rbx+0x10]"],
  ["48 85 c0", "test rax,rax"],
  ["78 0a", "js 0x7a"],
  ["48 8d 49 02", "lea rcx,[rcx+0x2]"],
  ["74 04", "je 0x7a"],
  ["48 8d 49 02", "lea rcx,[rcx+0x2]"],
  // TAKE: r15: the step that led here
  ["49 89 df", "mov r15,rbx"],
  ["0f b7 09", "movzx ecx,WORD PTR [rcx]"],
  // targets count in units of 8 bytes
  ["48 8d 5c cd 00", "lea rbx,[rbp+rcx*8+0x0]"],
  ["eb 81", "jmp 0x8"],
  // OPERATION: slots of 16 bytes
  ["c1 e0 04", "shl eax,0x4"],
  ["05 a0 01 40 00", "add eax,0x4001a0"],
  ["ff e0", "jmp rax"],
  ["66 66 2e 0f 1f 84 00 00 00 00 00", "data16 cs nop WORD PTR [rax+rax*1+0x0]"],
  ["0f 1f 40 00", "nop DWORD PTR [rax+0x0]"],
  // @add
  ["48 8d 04 37", "lea rax,[rdi+rsi*1]"],
  ["eb bd", "jmp 0x63"],
  ["66 2e 0f 1f 84 00 00 00 00 00", "cs nop WORD PTR [rax+rax*1+0x0]"],
  // @sub
  ["48 89 f8", "mov rax,rdi"],
  ["48 29 f0", "sub rax,rsi"],
  ["eb ab", "jmp 0x63"],
  ["0f 1f 84 00 00 00 00 00", "nop DWORD PTR [rax+rax*1+0x0]"],
  // @and
  ["48 89 f8", "mov rax,rdi"],
  ["48 21 f0", "and rax,rsi"],
  ["eb 9b", "jmp 0x63"],
  ["0f 1f 84 00 00 00 00 00", "nop DWORD PTR [rax+rax*1+0x0]"],
  // @or
  ["48 89 f8", "mov rax,rdi"],
  ["48 09 f0", "or rax,rsi"],
  ["eb 8b", "jmp 0x63"],
  ["0f 1f 84 00 00 00 00 00", "nop DWORD PTR [rax+rax*1+0x0]"],
  // @shl
  ["48 89 f8", "mov rax,rdi"],
  ["89 f1", "mov ecx,esi"],
  ["48 d3 e0", "shl rax,cl"],
  ["e9 76 ff ff ff", "jmp 0x63"],
  ["0f 1f 00", "nop DWORD PTR [rax]"],
  // @shr
  ["48 89 f8", "mov rax,rdi"],
  ["89 f1", "mov ecx,esi"],
  ["48 d3 e8", "shr rax,cl"],
  ["e9 66 ff ff ff", "jmp 0x63"],
  ["0f 1f 00", "nop DWORD PTR [rax]"],
  // @load
  ["48 8b 04 37", "mov rax,QWORD PTR [rdi+rsi*1]"],
  ["e9 5a ff ff ff", "jmp 0x63"],
  ["0f 1f 80 00 00 00 00", "nop DWORD PTR [rax+0x0]"],
  // @store
  ["48 89 37", "mov QWORD PTR [rdi],rsi"],
  ["48 89 f0", "mov rax,rsi"],
  ["e9 48 ff ff ff", "jmp 0x63"],
  ["0f 1f 44 00 00", "nop DWORD PTR [rax+rax*1+0x0]"],
  // @origin
  ["4c 89 f8", "mov rax,r15"],
  ["e9 3b ff ff ff", "jmp 0x63"],
  ["0f 1f 84 00 00 00 00 00", "nop DWORD PTR [rax+rax*1+0x0]"],
  // @same
  ["48 89 d1", "mov rcx,rdx"],
  ["31 c0", "xor eax,eax"],
  ["f3 a6", "repz cmps BYTE PTR ds:[rsi],BYTE PTR es:[rdi]"],
  ["0f 95 c0", "setne al"],
  ["e9 24 ff ff ff", "jmp 0x63"],
  ["90", "nop"],
  // @stack
  ["48 89 e0", "mov rax,rsp"],
  ["e9 1b ff ff ff", "jmp 0x63"],
  ["0f 1f 84 00 00 00 00 00", "nop DWORD PTR [rax+rax*1+0x0]"],
  // @digits
  ["48 89 f8", "mov rax,rdi"],
  ["89 d1", "mov ecx,edx"],
  ["41 b8 0a 00 00 00", "mov r8d,0xa"],
  ["31 d2", "xor edx,edx"],
  ["49 f7 f0", "div r8"],
  ["80 c2 30", "add dl,0x30"],
  ["ff c9", "dec ecx"],
  ["88 14 0e", "mov BYTE PTR [rsi+rcx*1],dl"],
  ["75 f1", "jne 0x15b"],
  ["31 c0", "xor eax,eax"],
  ["e9 f2 fe ff ff", "jmp 0x63"],
];

/** aarch64, as `objdump` prints it. */
const AARCH64: readonly Instruction[] = [
  // the table of steps
  ["14 0c a0 d2", "mov x20, #0x600000"],
  ["14 08 82 f2", "movk x20, #0x1040"],
  // x19: the step to do
  ["f3 03 14 aa", "mov x19, x20"],
  // NEXT: number of the call in the low half, indirect arguments in the high
  ["69 02 40 b9", "ldr w9, [x19]"],
  ["60 86 41 a9", "ldp x0, x1, [x19, #24]"],
  ["62 8e 42 a9", "ldp x2, x3, [x19, #40]"],
  ["64 96 43 a9", "ldp x4, x5, [x19, #56]"],
  // an indirect argument is the address of its value
  ["49 00 80 36", "tbz w9, #16, 0x24"],
  ["00 00 40 f9", "ldr x0, [x0]"],
  ["49 00 88 36", "tbz w9, #17, 0x2c"],
  ["21 00 40 f9", "ldr x1, [x1]"],
  ["49 00 90 36", "tbz w9, #18, 0x34"],
  ["42 00 40 f9", "ldr x2, [x2]"],
  ["49 00 98 36", "tbz w9, #19, 0x3c"],
  ["63 00 40 f9", "ldr x3, [x3]"],
  ["49 00 a0 36", "tbz w9, #20, 0x44"],
  ["84 00 40 f9", "ldr x4, [x4]"],
  ["49 00 a8 36", "tbz w9, #21, 0x4c"],
  ["a5 00 40 f9", "ldr x5, [x5]"],
  ["28 39 40 92", "and x8, x9, #0x7fff"],
  // bit 15: an operation of ours
  ["89 01 78 37", "tbnz w9, #15, 0x80"],
  ["01 00 00 d4", "svc #0x0"],
  // DONE: keep the result
  ["60 06 00 f9", "str x0, [x19, #8]"],
  // where to go: below zero, zero, above
  ["6a 42 00 91", "add x10, x19, #0x10"],
  ["80 00 f8 b7", "tbnz x0, #63, 0x70"],
  ["4a 09 00 91", "add x10, x10, #0x2"],
  ["40 00 00 b4", "cbz x0, 0x70"],
  ["4a 09 00 91", "add x10, x10, #0x2"],
  // TAKE: x21: the step that led here
  ["f5 03 13 aa", "mov x21, x19"],
  ["4a 01 40 79", "ldrh w10, [x10]"],
  // targets count in units of 8 bytes
  ["93 0e 0a 8b", "add x19, x20, x10, lsl #3"],
  ["e4 ff ff 17", "b 0xc"],
  // OPERATION: slots of 16 bytes
  ["89 00 00 10", "adr x9, 0x90"],
  ["29 11 08 8b", "add x9, x9, x8, lsl #4"],
  ["20 01 1f d6", "br x9"],
  ["1f 20 03 d5", "nop"],
  // @add
  ["00 00 01 8b", "add x0, x0, x1"],
  ["f1 ff ff 17", "b 0x58"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  // @sub
  ["00 00 01 cb", "sub x0, x0, x1"],
  ["ed ff ff 17", "b 0x58"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  // @and
  ["00 00 01 8a", "and x0, x0, x1"],
  ["e9 ff ff 17", "b 0x58"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  // @or
  ["00 00 01 aa", "orr x0, x0, x1"],
  ["e5 ff ff 17", "b 0x58"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  // @shl
  ["00 20 c1 9a", "lsl x0, x0, x1"],
  ["e1 ff ff 17", "b 0x58"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  // @shr
  ["00 24 c1 9a", "lsr x0, x0, x1"],
  ["dd ff ff 17", "b 0x58"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  // @load
  ["00 68 61 f8", "ldr x0, [x0, x1]"],
  ["d9 ff ff 17", "b 0x58"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  // @store
  ["01 00 00 f9", "str x1, [x0]"],
  ["e0 03 01 aa", "mov x0, x1"],
  ["d4 ff ff 17", "b 0x58"],
  ["1f 20 03 d5", "nop"],
  // @origin
  ["e0 03 15 aa", "mov x0, x21"],
  ["d1 ff ff 17", "b 0x58"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  // @same
  ["12 00 00 14", "b 0x168"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  // @stack
  ["e0 03 00 91", "mov x0, sp"],
  ["c9 ff ff 17", "b 0x58"],
  ["1f 20 03 d5", "nop"],
  ["1f 20 03 d5", "nop"],
  // @digits
  ["49 01 80 d2", "mov x9, #0xa"],
  ["0a 08 c9 9a", "udiv x10, x0, x9"],
  ["4b 81 09 9b", "msub x11, x10, x9, x0"],
  ["6b c1 00 11", "add w11, w11, #0x30"],
  ["42 04 00 d1", "sub x2, x2, #0x1"],
  ["2b 68 22 38", "strb w11, [x1, x2]"],
  ["e0 03 0a aa", "mov x0, x10"],
  ["42 ff ff b5", "cbnz x2, 0x144"],
  ["e0 03 1f aa", "mov x0, xzr"],
  ["bd ff ff 17", "b 0x58"],
  // SAME: from the last byte to the first
  ["02 01 00 b4", "cbz x2, 0x188"],
  ["42 04 00 d1", "sub x2, x2, #0x1"],
  ["09 68 62 38", "ldrb w9, [x0, x2]"],
  ["2a 68 62 38", "ldrb w10, [x1, x2]"],
  ["3f 01 0a 6b", "cmp w9, w10"],
  ["60 ff ff 54", "b.eq 0x168"],
  ["20 00 80 d2", "mov x0, #0x1"],
  ["b5 ff ff 17", "b 0x58"],
  ["e0 03 1f aa", "mov x0, xzr"],
  ["b3 ff ff 17", "b 0x58"],
];

/** The listings by architecture. */
export const LISTING: Readonly<Record<Arch, readonly Instruction[]>> = { x86_64: X86_64, aarch64: AARCH64 };

/** The machine code of the interpreter, to be placed at `TEXT_ADDRESS + CODE_OFFSET`. */
export function interpreterCode(arch: Arch): Uint8Array<ArrayBuffer> {
  return new Uint8Array(LISTING[arch].flatMap(([bytes]) => bytes.split(" ").map((byte) => parseInt(byte, 16))));
}
