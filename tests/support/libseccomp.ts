/**
 * libseccomp, called directly: what filter it makes of a profile, as runc would ask it (`man 3 seccomp_rule_add`).
 *
 * @module
 */
import { must, syscall } from "../../lib/kernel/syscall.ts";
import { eachCall, INTERFACES } from "../../lib/plan/seccomp/architectures.ts";
import type { Seccomp, SeccompAction, SeccompArch, SeccompArgument } from "../../lib/spec/config.ts";

/** A profile that both sides know all names of, and libseccomp's filter for it. */
export interface Reference {
  readonly profile: Seccomp;
  readonly program: Uint8Array;
  /** Names that this libseccomp is too old for. */
  readonly unknown: readonly string[];
}

/** How the filter is laid out: by how dear each rule is, or (from 2.5 on) as a tree over the numbers. */
export type Layout = "list" | "tree";

/** @throws Error where libseccomp is not there or refuses a rule. */
export function askLibseccomp(profile: Seccomp, layout: Layout): Reference {
  const { symbols: lib } = Deno.dlopen("libseccomp.so.2", SYMBOLS);
  const context = lib.seccomp_init(answer(profile.defaultAction, profile.defaultErrnoRet));
  check("seccomp_attr_set", lib.seccomp_attr_set(context, FLTATR_CTL_OPTIMIZE, layout === "tree" ? 2 : 1));
  for (const arch of profile.architectures ?? []) {
    const code = lib.seccomp_arch_add(context, tokenOf(arch));
    if (code !== -EEXIST) check(`seccomp_arch_add ${arch}`, code);
  }
  const unknown = new Set<string>();
  const numberOf = (name: string, token: number) =>
    lib.seccomp_syscall_resolve_name_arch(token, new TextEncoder().encode(`${name}\0`));
  for (const arch of profile.architectures ?? []) {
    eachCall(INTERFACES[arch], (name, number) => {
      const theirs = numberOf(name, tokenOf(arch));
      if (theirs === UNKNOWN || theirs <= ELSEWHERE) unknown.add(name);
      // Calls within calls have numbers below zero.
      else if (theirs >= 0 && theirs !== number) {
        throw new Error(`${name} is ${number} on ${arch}, and ${theirs} to libseccomp`);
      }
    });
  }
  const rules = (profile.syscalls ?? []).map((rule) => ({
    ...rule,
    names: rule.names.filter((name) => !unknown.has(name) && numberOf(name, ARCH_NATIVE) !== UNKNOWN),
  }));
  const usual = answer(profile.defaultAction, profile.defaultErrnoRet);
  for (const { names, action, errnoRet, args = [] } of rules) {
    if (answer(action, errnoRet) === usual) continue;
    for (const name of names) {
      const number = numberOf(name, ARCH_NATIVE);
      const compared = packArguments(args);
      const code = lib.seccomp_rule_add_array(context, answer(action, errnoRet), number, args.length, compared);
      check(`seccomp_rule_add_array ${name}`, code);
    }
  }
  const program = readProgram((fd) => check("seccomp_export_bpf", lib.seccomp_export_bpf(context, fd)));
  lib.seccomp_release(context);
  return { profile: { ...profile, syscalls: rules }, program, unknown: [...unknown] };
}

const SYMBOLS = {
  seccomp_init: { parameters: ["u32"], result: "pointer" },
  seccomp_release: { parameters: ["pointer"], result: "void" },
  seccomp_attr_set: { parameters: ["pointer", "u32", "u32"], result: "i32" },
  seccomp_arch_add: { parameters: ["pointer", "u32"], result: "i32" },
  seccomp_syscall_resolve_name_arch: { parameters: ["u32", "buffer"], result: "i32" },
  seccomp_rule_add_array: { parameters: ["pointer", "u32", "i32", "u32", "buffer"], result: "i32" },
  seccomp_export_bpf: { parameters: ["pointer", "i32"], result: "i32" },
} as const;

const FLTATR_CTL_OPTIMIZE = 8;
const ARCH_NATIVE = 0;
/** A name that it does not know at all; numbers from the second on downwards are those of other architectures. */
const UNKNOWN = -1;
const ELSEWHERE = -10_000;
const EEXIST = 17;

/** The kernel's name of an architecture, but for x32, which has none of its own. */
function tokenOf(arch: SeccompArch): number {
  return arch === "SCMP_ARCH_X32" ? 0x4000003e : INTERFACES[arch].audit;
}

function check(what: string, code: number): void {
  if (code < 0) throw new Error(`${what}: ${code}`);
}

const ACTIONS: Readonly<Partial<Record<SeccompAction, number>>> = {
  SCMP_ACT_KILL: 0x00000000,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};

function answer(action: SeccompAction, number = 1): number {
  const hasData = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  return ACTIONS[action]! + (hasData ? number : 0);
}

const OPERATORS: Readonly<Record<SeccompArgument["op"], number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

/** `struct scmp_arg_cmp`: unsigned int, enum, and two of 64 bits. */
function packArguments(args: readonly SeccompArgument[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(24 * Math.max(args.length, 1));
  const view = new DataView(bytes.buffer);
  args.forEach(({ index, op, value, valueTwo = 0 }, place) => {
    view.setUint32(24 * place, index, true);
    view.setUint32(24 * place + 4, OPERATORS[op], true);
    view.setBigUint64(24 * place + 8, BigInt(value), true);
    view.setBigUint64(24 * place + 16, BigInt(valueTwo), true);
  });
  return bytes;
}

function readProgram(write: (fd: number) => void): Uint8Array {
  const fd = must("a file in memory", "memfd_create", "filter", 0);
  try {
    write(fd);
    return Deno.readFileSync(`/proc/self/fd/${fd}`);
  } finally {
    syscall("close", fd);
  }
}
