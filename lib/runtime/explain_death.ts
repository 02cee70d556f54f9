/**
 * Why a command that ran has died, in one line.
 *
 * @module
 */
import { nameSignal } from "../base/signals.ts";
import { formatSize } from "../base/sizes.ts";
import type { Death } from "../cgroup/read.ts";

/** Signals by which someone ends a command on purpose, at a terminal or through a pipe. */
const EXPECTED = ["HUP", "INT", "PIPE", "TERM"];

/** The code by which a shell says that a command of its own was killed. */
const SHELL_KILLED = 128 + 9;

/**
 * Words for an end by a signal, or by the OOM killer further down; undefined where the exit code says all.
 *
 * @param status as `wait4(2)` gives it.
 */
export function explainDeath(status: number, { oomKills, peakMemory, limit }: Death): string | undefined {
  const signal = status & 0x7f;
  const code = (status >> 8) & 0xff;
  const killed = nameSignal(signal) === "KILL" || (signal === 0 && code === SHELL_KILLED);
  if (oomKills > 0 && (killed || signal !== 0)) return outOfMemory(oomKills, peakMemory, limit);
  if (signal === 0 || EXPECTED.includes(nameSignal(signal))) return undefined;
  const core = (status & 0x80) !== 0 ? " (core dumped)" : "";
  return `the command was killed by SIG${nameSignal(signal)}${core}${MEANINGS[nameSignal(signal)] ?? ""}`;
}

const MEANINGS: Readonly<Record<string, string>> = {
  SEGV: ": it used memory that is not its own",
  BUS: ": it used memory that could not be had",
  ILL: ": it has an instruction that this processor lacks",
  ABRT: ": it gave up by itself",
  SYS: ": it made a system call that is forbidden here",
};

function outOfMemory(kills: number, peak: number | undefined, limit: number | undefined): string {
  const numbers = [
    ...(limit === undefined ? [] : [`limit ${formatSize(limit)}`]),
    ...(peak === undefined ? [] : [`peak ${formatSize(peak)}`]),
    ...(kills > 1 ? [`${kills} processes killed`] : []),
  ];
  const where = limit === undefined ? "the host ran out of memory" : "out of memory";
  return `${where}: the kernel killed the command (${numbers.join(", ")}); give it more with --memory`;
}
