/**
 * What a filter has to know of the architectures: by which number the kernel names each, and how arguments lie in
 * memory (`linux/audit.h`, `linux/elf-em.h`, `man 2 seccomp`).
 *
 * @module
 */
import type { Arch } from "../../program/step.ts";
import type { SeccompArch } from "../../spec/config.ts";
import { CALLS, COMMON_CALLS } from "./numbers.ts";

/** One way to make system calls. */
export interface CallInterface {
  /** `AUDIT_ARCH_*`: what a filter sees. */
  readonly audit: number;
  /** Bits of an argument that are compared: all 64, or, as libseccomp does, the lower half. */
  readonly bits: 32 | 64;
  /** The upper half of an argument lies before the lower. */
  readonly bigEndian: boolean;
  /** Table of `CALLS`. */
  readonly calls: keyof typeof CALLS;
  /** Added to each number of the table. */
  readonly base: number;
}

const little = { bigEndian: false, base: 0 } as const;
const big = { bigEndian: true, base: 0 } as const;

/** All that the specification names. */
export const INTERFACES: Readonly<Record<SeccompArch, CallInterface>> = {
  SCMP_ARCH_X86: { audit: 0x40000003, bits: 32, calls: "x86", ...little },
  SCMP_ARCH_X86_64: { audit: 0xc000003e, bits: 64, calls: "x86_64", ...little },
  // The kernel's name for it is that of x86_64; a bit in the number tells them apart.
  SCMP_ARCH_X32: { audit: 0xc000003e, bits: 32, calls: "x32", ...little, base: 0x40000000 },
  SCMP_ARCH_ARM: { audit: 0x40000028, bits: 32, calls: "arm", ...little },
  SCMP_ARCH_AARCH64: { audit: 0xc00000b7, bits: 64, calls: "aarch64", ...little },
  SCMP_ARCH_MIPS: { audit: 0x00000008, bits: 32, calls: "mips_o32", ...big, base: 4000 },
  SCMP_ARCH_MIPS64: { audit: 0x80000008, bits: 64, calls: "mips_n64", ...big, base: 5000 },
  SCMP_ARCH_MIPS64N32: { audit: 0xa0000008, bits: 32, calls: "mips_n32", ...big, base: 6000 },
  SCMP_ARCH_MIPSEL: { audit: 0x40000008, bits: 32, calls: "mips_o32", ...little, base: 4000 },
  SCMP_ARCH_MIPSEL64: { audit: 0xc0000008, bits: 64, calls: "mips_n64", ...little, base: 5000 },
  SCMP_ARCH_MIPSEL64N32: { audit: 0xe0000008, bits: 32, calls: "mips_n32", ...little, base: 6000 },
  SCMP_ARCH_PPC: { audit: 0x00000014, bits: 32, calls: "ppc", ...big },
  SCMP_ARCH_PPC64: { audit: 0x80000015, bits: 64, calls: "ppc64", ...big },
  SCMP_ARCH_PPC64LE: { audit: 0xc0000015, bits: 64, calls: "ppc64", ...little },
  SCMP_ARCH_S390: { audit: 0x00000016, bits: 32, calls: "s390", ...big },
  SCMP_ARCH_S390X: { audit: 0x80000016, bits: 64, calls: "s390x", ...big },
  SCMP_ARCH_PARISC: { audit: 0x0000000f, bits: 32, calls: "parisc", ...big },
  SCMP_ARCH_PARISC64: { audit: 0x8000000f, bits: 64, calls: "parisc64", ...big },
  SCMP_ARCH_RISCV64: { audit: 0xc00000f3, bits: 64, calls: "riscv64", ...little },
  SCMP_ARCH_LOONGARCH64: { audit: 0xc0000102, bits: 64, calls: "loongarch64", ...little },
  SCMP_ARCH_M68K: { audit: 0x00000004, bits: 32, calls: "m68k", ...big },
  SCMP_ARCH_SH: { audit: 0x4000002a, bits: 32, calls: "sh", ...little },
  SCMP_ARCH_SHEB: { audit: 0x0000002a, bits: 32, calls: "sh", ...big },
};

/** The interfaces that programs on a machine can use: its own first. A filter for others would never be asked. */
export const MACHINE_INTERFACES: Readonly<Record<Arch, readonly SeccompArch[]>> = {
  x86_64: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
  aarch64: ["SCMP_ARCH_AARCH64", "SCMP_ARCH_ARM"],
};

/** Calls `visit` with each call of an interface, in the order of their numbers. */
export function eachCall({ calls, base }: CallInterface, visit: (name: string, number: number) => void): void {
  let next = base;
  const walk = (table: string): void => {
    const words = table.split(" ");
    for (let index = 0; index < words.length; index++) {
      const word = words[index]!;
      const letter = word.charCodeAt(0);
      if (letter > NINE) visit(word, next++);
      else if (word === "+") walk(COMMON_CALLS);
      else next = base + Number(word);
    }
  };
  walk(CALLS[calls]);
}

const NINE = "9".charCodeAt(0);

/** The number of a call, undefined where the interface has none of that name. */
export function numberOfCall(arch: SeccompArch, call: string): number | undefined {
  let found: number | undefined;
  eachCall(INTERFACES[arch], (name, number) => {
    if (name === call) found = number;
  });
  return found;
}
