/**
 * What went over a container's network interfaces (`man 5 proc_pid_net`, /proc/PID/net/dev).
 *
 * @module
 */
import type { StatsObject } from "../cgroup/stats_text.ts";
import { readControl } from "../kernel/cgroup.ts";

/** Of each but the loopback, in runc's words; null where the container has the host's network. */
export function readInterfaces(pid: number | undefined): readonly StatsObject[] | null {
  if (pid === undefined || namespace(String(pid)) === namespace("self")) return null;
  const found = parseInterfaces(readControl(`/proc/${pid}/net/dev`) ?? "");
  return found.length === 0 ? null : found;
}

function namespace(process: string): string | undefined {
  try {
    return Deno.readLinkSync(`/proc/${process}/ns/net`);
  } catch {
    return undefined;
  }
}

/** Places of the eight counts of a line, four that are received and four that are sent. */
const COUNTS = {
  RxBytes: 0,
  RxPackets: 1,
  RxErrors: 2,
  RxDropped: 3,
  TxBytes: 8,
  TxPackets: 9,
  TxErrors: 10,
  TxDropped: 11,
} as const;

/** Two lines of head, then `  eth0: 1 2 …`. */
export function parseInterfaces(text: string): StatsObject[] {
  return text.split("\n").slice(2).flatMap((line) => {
    const match = /^\s*([^:\s]+):\s*(.*)$/.exec(line);
    if (match === null || match[1] === "lo") return [];
    const numbers = match[2]!.trim().split(/\s+/).map(BigInt);
    return [{
      Name: match[1]!,
      ...Object.fromEntries(Object.entries(COUNTS).map(([key, place]) => [key, numbers[place] ?? 0n])),
    }];
  });
}
