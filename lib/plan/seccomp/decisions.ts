/**
 * What a profile says of each number: ranges of numbers with one verdict, for each architecture as the kernel names it.
 *
 * Where rules contradict each other it is as with libseccomp and runc: a rule that says what holds by default counts for
 * nothing; one without conditions wins over those with; and of several without, the first.
 *
 * Every `run` goes through here in a cold engine: plain loops over the tables of names, which are in the order of their
 * numbers, so that nothing is sorted.
 *
 * @module
 */
import { errnoNumber } from "../../base/errno.ts";
import type { Seccomp, SeccompAction, SeccompArch, SeccompArgument, SeccompRule } from "../../spec/config.ts";
import { type CallInterface, eachCall, INTERFACES } from "./architectures.ts";

/** Numbers from `first` up to the next range's first, all with one verdict. */
export interface Range {
  readonly first: number;
  readonly verdict: Verdict;
  /** How the arguments of these calls lie in memory. */
  readonly layout: CallInterface;
}

/** What a filter answers: to the first alternative whose conditions all hold, else `otherwise`. */
export interface Verdict {
  readonly alternatives: readonly Alternative[];
  /** `SECCOMP_RET_*` with its data. */
  readonly otherwise: number;
}

/** At least one condition, and the answer where all hold. */
export interface Alternative {
  readonly conditions: readonly SeccompArgument[];
  readonly answer: number;
}

/** All numbers of one architecture as the kernel names it (`AUDIT_ARCH_*`). */
export interface Decisions {
  readonly audit: number;
  /** In ascending order; the first begins at 0. */
  readonly ranges: readonly Range[];
}

/** The high half of what a filter returns (`linux/seccomp.h`). */
const ANSWERS: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 0x00000000,
  SCMP_ACT_KILL_THREAD: 0x00000000,
  SCMP_ACT_KILL_PROCESS: 0x80000000,
  SCMP_ACT_TRAP: 0x00030000,
  SCMP_ACT_ERRNO: 0x00050000,
  SCMP_ACT_NOTIFY: 0x7fc00000,
  SCMP_ACT_TRACE: 0x7ff00000,
  SCMP_ACT_LOG: 0x7ffc0000,
  SCMP_ACT_ALLOW: 0x7fff0000,
};

/** To whoever calls by an interface that the profile does not have, as libseccomp. */
export const KILL_THREAD = ANSWERS.SCMP_ACT_KILL_THREAD;

/**
 * The decisions of a profile.
 *
 * @param own the machine's own interface, which is decided on whether the profile lists it or not; it comes first.
 */
export function decide(profile: Seccomp, own: SeccompArch): Decisions[] {
  const usual: Verdict = { alternatives: [], otherwise: answer(profile.defaultAction, profile.defaultErrnoRet) };
  const verdicts = decideByName(profile.syscalls ?? [], usual);
  const beyond = decideBeyond(profile, usual);
  const groups = new Map<number, CallInterface[]>();
  for (const arch of new Set([own, ...(profile.architectures ?? [])])) {
    const layout = INTERFACES[arch];
    const group = groups.get(layout.audit);
    if (group === undefined) groups.set(layout.audit, [layout]);
    else group.push(layout);
  }
  return [...groups].map(([audit, layouts]) => ({
    audit,
    ranges: listRanges(layouts.sort((one, other) => one.base - other.base), { verdicts, usual, beyond }),
  }));
}

function answer(action: SeccompAction, number = EPERM): number {
  const hasData = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  return hasData ? ANSWERS[action] + number : ANSWERS[action];
}

const EPERM = errnoNumber("EPERM");

/**
 * Calls that are newer than all that the profile names: whoever wrote it did not know them. A program that is told that
 * they do not exist takes an older one; one that is told that they are forbidden gives up. So does runc; where unknown
 * calls are not refused there is nothing to do.
 */
function decideBeyond({ defaultAction }: Seccomp, usual: Verdict): Verdict {
  const permits = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"].includes(defaultAction);
  return permits ? usual : { alternatives: [], otherwise: answer("SCMP_ACT_ERRNO", errnoNumber("ENOSYS")) };
}

/** The verdict on each call that a rule names. Names that no architecture has are never asked for. */
function decideByName(rules: readonly SeccompRule[], usual: Verdict): Map<string, Verdict> {
  const verdicts = new Map<string, Verdict>();
  const unconditional = new Map<number, Verdict>();
  const add = (name: string, alternatives: readonly Alternative[], action: number): void => {
    const before = verdicts.get(name);
    if (before !== undefined && before !== usual && before.alternatives.length === 0) return;
    if (alternatives.length > 0) {
      verdicts.set(name, { ...usual, alternatives: [...(before?.alternatives ?? []), ...alternatives] });
      return;
    }
    let verdict = unconditional.get(action);
    if (verdict === undefined) unconditional.set(action, verdict = { alternatives: [], otherwise: action });
    verdicts.set(name, verdict);
  };
  for (const { names, action, errnoRet, args = [] } of rules) {
    const found = answer(action, errnoRet);
    const changes = found !== usual.otherwise;
    const alternatives = changes ? listAlternatives(args, found) : [];
    for (const name of names) {
      if (changes) add(name, alternatives, found);
      else if (!verdicts.has(name)) verdicts.set(name, usual);
      const shared = MULTIPLEXED[name];
      if (shared !== undefined && changes) add(shared.call, [isSubcall(shared.number, found)], found);
    }
  }
  return verdicts;
}

/** All conditions together; but where two are about one argument, each for itself, as runc has it. */
function listAlternatives(args: readonly SeccompArgument[], action: number): Alternative[] {
  if (args.length === 0) return [];
  const twice = args.some(({ index }, place) => args.findIndex((other) => other.index === index) < place);
  return (twice ? args.map((argument) => [argument]) : [args]).map((conditions) => ({ conditions, answer: action }));
}

/**
 * On 32-bit x86, s390, ppc and others these calls can be made by one that has their number as its first argument
 * (`linux/net.h`, `linux/ipc.h`). Their own arguments are then in memory, where no filter can look: a rule about them is
 * about the call as such, as with libseccomp.
 */
const MULTIPLEXED: Readonly<Record<string, { readonly call: string; readonly number: number }>> = {
  ...multiplex(
    "socketcall",
    1,
    "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown " +
      "setsockopt getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg",
  ),
  ...multiplex("ipc", 1, "semop semget semctl semtimedop"),
  ...multiplex("ipc", 11, "msgsnd msgrcv msgget msgctl"),
  ...multiplex("ipc", 21, "shmat shmdt shmget shmctl"),
};

function multiplex(call: string, first: number, names: string): Record<string, { call: string; number: number }> {
  return Object.fromEntries(names.split(" ").map((name, index) => [name, { call, number: first + index }]));
}

function isSubcall(number: number, action: number): Alternative {
  return { conditions: [{ index: 0, op: "SCMP_CMP_EQ", value: number }], answer: action };
}

interface Known {
  readonly verdicts: ReadonlyMap<string, Verdict>;
  readonly usual: Verdict;
  readonly beyond: Verdict;
}

const X32_BIT = INTERFACES.SCMP_ARCH_X32.base;

/** @param layouts that share a name of the kernel's, by their first number. */
function listRanges(layouts: readonly CallInterface[], { verdicts, usual, beyond }: Known): Range[] {
  const ranges: Range[] = [];
  let last: Verdict | undefined;
  const push = (first: number, verdict: Verdict, layout: CallInterface): void => {
    ranges.push({ first, verdict, layout });
    last = verdict;
  };
  for (const layout of layouts) {
    let next = layout.base;
    let end: number | undefined;
    push(ranges.length === 0 ? 0 : next, usual, layout);
    eachCall(layout, (name, number) => {
      const verdict = verdicts.get(name);
      if (number > next && last !== usual) push(next, usual, layout);
      if ((verdict ?? usual) !== last) push(number, verdict ?? usual, layout);
      next = number + 1;
      if (verdict !== undefined) end = next;
    });
    if (end === undefined) continue;
    if (ranges.at(-1)!.first === end) ranges.pop();
    push(end, beyond, layout);
  }
  // A call with the bit of x32 where x32 is not wanted: a profile without it knows nothing of these numbers. The last
  // number stands for a call that a tracer has cancelled.
  const [own] = layouts;
  if (own !== undefined && own.audit === INTERFACES.SCMP_ARCH_X32.audit && layouts.at(-1)!.base !== X32_BIT) {
    push(X32_BIT, { alternatives: [], otherwise: KILL_THREAD }, own);
    push(0xffffffff, beyond, own);
  }
  // What stands at the beginning of an interface only to begin with.
  return ranges.filter(({ first }, index) => ranges[index + 1]?.first !== first);
}
