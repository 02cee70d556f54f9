/**
 * The filter of system calls: put on last of all, so that it need allow nothing but the command's own calls.
 *
 * The kernel takes a filter from a process that has no_new_privs, or CAP_SYS_ADMIN in its user namespace
 * (`man 2 seccomp`). Without no_new_privs the capability is therefore kept until here, in the effective and the
 * permitted set alone (`identity.ts`): the exec that follows works out both anew, from the bounding, inheritable and
 * ambient sets (`man 7 capabilities`, Transformation of capabilities during execve), and it is in none of those unless
 * it was asked for. So whatever a profile forbids, only the exec itself comes after it.
 *
 * @module
 */
import { PaddockError } from "../../base/errors.ts";
import type { Facts } from "../../host/facts.ts";
import { type Act, type Constant, step } from "../../program/step.ts";
import type { Config, Seccomp, SeccompFlag } from "../../spec/config.ts";
import { ANNOTATIONS } from "../../spec/from_options.ts";
import { asksAgent, FILTER } from "./listener.ts";

/** True where the container's process gets a filter. */
export function hasFilter({ annotations, linux: { seccomp } }: Config): boolean {
  return seccomp !== undefined || annotations[ANNOTATIONS.seccomp] === "default";
}

/**
 * The act that puts the filter on.
 *
 * @param program the filter, compiled.
 * @throws {PaddockError} where the kernel has no filters, or the profile cannot be had.
 */
export function planSeccomp(config: Config, facts: Facts, program: Uint8Array | undefined): Act[] {
  if (!hasFilter(config)) return [];
  if (program === undefined) throw new RangeError("plan: the filter has to be compiled before");
  refuse(facts);
  const SECCOMP_SET_MODE_FILTER = 1;
  const block: Constant = {
    block: {
      size: 16,
      fields: [{ at: 0, size: 2, value: program.length / 8 }, { at: 8, size: 8, value: code(program) }],
    },
  };
  const name = config.linux.seccomp === undefined ? "the default profile" : "the profile that was given";
  return [{
    what: "filter the system calls",
    why: `${name}: what a program has no use for, and where holes in kernels have been, is refused ` +
      `(${program.length / 8} instructions, a few for each call)`,
    shell: ["setpriv --seccomp-filter filter.bpf"],
    steps: [step("seccomp", [SECCOMP_SET_MODE_FILTER, flagsOf(config.linux.seccomp), block], { label: FILTER })],
  }];
}

function code(program: Uint8Array): Constant {
  return { block: { size: program.length, fields: [{ at: 0, bytes: program }] } };
}

/** `SECCOMP_FILTER_FLAG_*` of `linux/seccomp.h`. */
const FLAGS: Readonly<Record<SeccompFlag, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 0x1,
  SECCOMP_FILTER_FLAG_LOG: 0x2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 0x4,
  // How a listener is waited for; without one the kernel does not take it.
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 0,
};

/** The same where the filter has a listener; a failing TSYNC is an error then, and no thread's id in place of it. */
const LISTENER_FLAGS: Readonly<Record<SeccompFlag, number>> = {
  ...FLAGS,
  SECCOMP_FILTER_FLAG_TSYNC: 0x1 | 0x10,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: 0x20,
};
const NEW_LISTENER = 0x8;

/** The word of flags for seccomp(2). Unless told otherwise no program is slowed down for speculation, as with runc. */
export function flagsOf(profile: Seccomp | undefined): number {
  const flags = profile?.flags ?? ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
  return asksAgent(profile)
    ? flags.reduce((word, flag) => word | LISTENER_FLAGS[flag], NEW_LISTENER)
    : flags.reduce((word, flag) => word | FLAGS[flag], 0);
}

function refuse({ has }: Facts): void {
  if (!has.seccomp_filter) {
    throw new PaddockError(
      "this kernel has no filters of system calls, or paddock may not use them, and the container is to have one",
      {
        hint: "--security-opt seccomp=unconfined goes without; or use a kernel with CONFIG_SECCOMP_FILTER",
      },
    );
  }
}
