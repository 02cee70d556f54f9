/**
 * The listener of a filter with `SCMP_ACT_NOTIFY`: its descriptor goes to an agent, who answers the calls that the
 * filter asks about (runtime-spec config-linux.md, Seccomp and containerProcessState; `man 2 seccomp_unotify`).
 *
 * ```
 *   launcher                                 container
 *   connect to the agent
 *   clone ─────────────────────────────────▶ … everything else
 *   look at the result of seccomp(2) ◀────── put the filter on: from here on its calls may wait for the agent
 *   take the descriptor (pidfd_getfd)        wait to be started, or execute at once
 *   send it with the state ──▶ agent
 * ```
 *
 * The child does nothing for it, since any call of its own might be one that the agent is asked about.
 *
 * @module
 */
import { errnoNumber } from "../../base/errno.ts";
import { PaddockError } from "../../base/errors.ts";
import type { Facts } from "../../host/facts.ts";
import { type Act, flags, previous, type Region, result, type Step, step } from "../../program/step.ts";
import type { Config, Seccomp } from "../../spec/config.ts";
import { OCI_VERSION } from "../../spec/oci_version.ts";
import { CHILD } from "../monitor.ts";
import { planConnect, sendDescriptor } from "../sockets.ts";
import type { ListenerState } from "./listener_state.ts";

/** The agent's socket, and the listener. */
const AGENT_FD = 112;
const LISTENER_FD = 113;

/** The step that puts the filter on. */
export const FILTER = "filter";

/** Says that the launcher has the listener. */
const TAKEN = "taken";
const SPINS = "taken.spins";

/** Memory of these steps. */
export const LISTENER_REGIONS: Readonly<Record<string, Region>> = { [TAKEN]: { size: 8 }, [SPINS]: { size: 8 } };

/** True where the profile has calls that an agent is asked about. */
export function asksAgent(profile: Seccomp | undefined): boolean {
  return profile?.syscalls?.some(({ action }) => action === "SCMP_ACT_NOTIFY") ?? false;
}

/** True where the filter of this process has a listener. */
export function hasListener({ linux: { seccomp } }: Config): boolean {
  return asksAgent(seccomp);
}

/**
 * Before the clone: the agent has to be there.
 *
 * @throws PaddockError where the kernel cannot hand the listener over.
 */
export function planReachAgent(config: Config, { version: [major, minor], release }: Facts): Act[] {
  if (!hasListener(config)) return [];
  if (major < 5 || (major === 5 && minor < 6)) {
    throw new PaddockError(`SCMP_ACT_NOTIFY needs Linux 5.6 or later (this is ${release})`, {
      hint: "use SCMP_ACT_ERRNO or SCMP_ACT_LOG instead",
    });
  }
  const { listenerPath = "" } = config.linux.seccomp!;
  const why = "the seccomp profile asks it about system calls: it gets the descriptor on which the kernel asks";
  return [planConnect({ path: listenerPath, fd: AGENT_FD, name: "seccomp agent", why })];
}

/**
 * In the child, before the filter, and when it shares no descriptors any more: the agent hears the end of the connection
 * when the launcher has sent all.
 */
export function planLeaveAgent(config: Config): Act[] {
  if (!hasListener(config)) return [];
  const why = "the launcher alone speaks to it, and the connection ends with that";
  return [{ what: "leave the seccomp agent", why, shell: [], steps: [step("close", [AGENT_FD])] }];
}

/**
 * In the launcher, once the child is about to put the filter on: waits for that, and hands the listener over.
 *
 * @param label of its first step.
 * @param ended where to go when the child has ended instead.
 */
export function planListener(config: Config, state: ListenerState, label: string, ended: string): Act[] {
  if (!hasListener(config)) return [];
  const shortly = { size: 16, fields: [{ at: 8, size: 4, value: 200_000 }] } as const;
  return [{
    what: "wait for the listener of the filter",
    why: "the child cannot tell of it: that might be a call which the agent is asked about",
    shell: [],
    steps: [
      step("@add", [result(FILTER), 0], { label, onPositive: "end", onNegative: ended }),
      step("@and", [{ load: "vm" }, 0xffffffff], { onZero: ended }),
      step("nanosleep", [{ block: shortly }, 0], { onNegative: label, onZero: label }),
    ],
  }, ...sendListener(config, state)];
}

function sendListener(config: Config, state: ListenerState): Act[] {
  const { listenerPath = "", listenerMetadata } = config.linux.seccomp!;
  const { message, places } = formatState(state, listenerMetadata);
  const data = (at = 0) => ({ text: message, offset: at });
  // A number in JSON has no leading zeros, but may have spaces before it: as many digits as there are, at the end.
  const write = (digits: number): Step[] => [
    ...places.map((place, index) =>
      step("@digits", [{ load: CHILD }, data(place + PID_WIDTH - digits), digits], {
        ...(index === 0 ? { label: `listener.${digits}` } : {}),
        ...(index === places.length - 1 ? { onZero: "end" } : {}),
      })
    ),
  ];
  const widths = Array.from({ length: PID_WIDTH }, (_, index) => index + 1);
  return [{
    what: "write the process id into the state for the agent",
    why: "it answers for this process, and may look into its memory",
    shell: [],
    steps: [
      ...widths.map((digits) => step("@sub", [{ load: CHILD }, 10 ** digits], { onNegative: `listener.${digits}` })),
      ...widths.flatMap(write),
    ],
  }, {
    what: `hand the listener of the filter to ${listenerPath}`,
    why: "asked for by linux.seccomp.listenerPath: who listens there answers the calls",
    shell: [],
    steps: [
      step("pidfd_open", [{ load: CHILD }, 0]),
      step("pidfd_getfd", [previous(), result(FILTER), 0]),
      step("dup3", [previous(), LISTENER_FD, flags("O_CLOEXEC")]),
      step("close", [previous(2)]),
      step("close", [previous(4)]),
      step("@store", [{ region: TAKEN }, 1]),
      ...sendDescriptor(AGENT_FD, LISTENER_FD, data(), new TextEncoder().encode(message).length),
      step("close", [AGENT_FD], { onNegative: "next" }),
    ],
  }];
}

/**
 * In a child that does not wait to be started, before its exec, which would close the listener. Not by a call, which
 * might be one that is asked about, or forbidden; it takes a fraction of a millisecond, and ends by itself in case that
 * the launcher was killed.
 */
export function planAwaitTaken(config: Config): Act[] {
  if (!hasListener(config)) return [];
  return [{
    what: "wait until the listener of the filter is taken",
    why: "the exec closes it here",
    shell: [],
    steps: [
      step("@add", [{ load: TAKEN }, 0], { label: TAKEN, onPositive: "end" }),
      step("@add", [{ load: SPINS }, 1]),
      step("@store", [{ region: SPINS }, previous()]),
      step("@sub", [previous(), MOST_SPINS], { onNegative: TAKEN }),
      step("@sub", [0, errnoNumber("ETIMEDOUT")], { onNegative: "container.fault" }),
    ],
  }];
}

/** Some tens of seconds. */
const MOST_SPINS = 1_000_000_000;

/** Digits of the largest process id (`man 5 proc_sys_kernel`, pid_max). */
const PID_WIDTH = 7;

/** The JSON, and the offsets in bytes of the ids that are not known yet. */
function formatState(
  { id, status, pid, bundle, annotations }: ListenerState,
  metadata = "",
): { readonly message: string; readonly places: readonly number[] } {
  const blank = " ".repeat(PID_WIDTH);
  const places: number[] = [];
  let message = "";
  const add = (text: string) => message += text;
  const addPid = (known?: number) => {
    if (known === undefined) places.push(new TextEncoder().encode(message).length);
    add(known === undefined ? blank : String(known));
  };
  const fields = (value: object) => JSON.stringify(value).slice(1, -1);
  add(`{${fields({ ociVersion: OCI_VERSION, fds: ["seccompFd"] })},"pid":`);
  addPid();
  add(`,${metadata === "" ? "" : `${fields({ metadata })},`}"state":{`);
  add(`${fields({ ociVersion: OCI_VERSION, id, status })},"pid":`);
  addPid(pid);
  const more = Object.keys(annotations).length === 0 ? {} : { annotations };
  add(`,${fields({ bundle, ...more })}}}`);
  return { message, places };
}
