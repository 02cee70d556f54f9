/**
 * Which limits this host's cgroups can hold, as checks: one for each controller, with the flags that need it.
 *
 * @module
 */
import type { Check, Examined, Finding } from "./examined.ts";
import type { ControllerFact, Facts } from "./facts.ts";
import { findMountOf } from "./mountinfo.ts";

/** A controller, by its name in each version, and the flags of `run` that it serves. */
interface Served {
  readonly title: string;
  readonly v1: string;
  readonly v2?: string;
  readonly flags: string;
  /** What v2 has in place of a controller: answers whether it can be had. */
  readonly instead?: (facts: Facts) => string | undefined;
}

const SERVED: readonly Served[] = [
  { title: "memory", v1: "memory", v2: "memory", flags: "--memory, --memory-reservation, --swap" },
  { title: "processor time", v1: "cpu", v2: "cpu", flags: "--cpus, --cpu-shares" },
  { title: "processor sets", v1: "cpuset", v2: "cpuset", flags: "--cpuset-cpus, --cpuset-mems" },
  { title: "processes", v1: "pids", v2: "pids", flags: "--pids-limit" },
  { title: "disk", v1: "blkio", v2: "io", flags: "--blkio-weight, --device-read-bps and the like" },
  {
    title: "devices",
    v1: "devices",
    flags: "rules for devices",
    instead: (facts) => facts.has.bpf_cgroup_device ? "v2, a BPF program" : undefined,
  },
  {
    title: "freezing",
    v1: "freezer",
    flags: "a clean end of containers that share the host's processes",
    instead: ({ version }) => version[0] > 5 || (version[0] === 5 && version[1] >= 2) ? "v2, cgroup.freeze" : undefined,
  },
];

/** The checks of the group "limits". A container without limits runs without any of them. */
export const LIMIT_CHECKS: readonly Check[] = [
  ...SERVED.map((served): Check => ({
    id: `cgroup-${served.v1}`,
    title: served.title,
    group: "limits",
    check: (host) => checkController(served, host),
  })),
  { id: "swap", title: "swap", group: "limits", check: checkSwap },
];

function checkController(served: Served, { facts, readText }: Examined): Finding {
  const { controllers, unified } = facts.cgroup;
  const found = (served.v2 === undefined ? undefined : controllers[served.v2]) ?? controllers[served.v1];
  if (found !== undefined) return describeController(found, facts);
  const instead = unified === undefined ? undefined : served.instead?.(facts);
  if (instead !== undefined) return { verdict: "ok", detail: instead };
  return {
    verdict: "no",
    detail: `no controller, so no ${served.flags}`,
    remedy: findRemedy(served, facts, readText),
  };
}

function describeController(found: ControllerFact, { mounts }: Facts): Finding {
  const detail = `v${found.version}, ${found.mount}`;
  if (!findMountOf(found.mount, mounts)?.options.includes("ro")) return { verdict: "ok", detail };
  return { verdict: "no", detail: `${detail}, read-only`, remedy: `mount -o remount,rw ${found.mount}` };
}

/** Why a controller is missing: the kernel has not got it, has it switched off, or nobody mounted it. */
function findRemedy(
  { v1, v2 }: Served,
  { cgroup }: Facts,
  readText: (path: string) => string | undefined,
): string {
  const row = (readText("/proc/cgroups") ?? "").split("\n").map((line) => line.split("\t")).find(([name]) =>
    name === v1
  );
  // /proc/cgroups has one line for each controller of the kernel: name, hierarchy, cgroups, enabled.
  if (row === undefined) return "use a kernel that was built with it";
  if (row[3] === "0") return `boot with cgroup_enable=${v1}`;
  if (cgroup.unified !== undefined && v2 !== undefined && row[1] === "0") {
    return `have it handed down: echo +${v2} > ${cgroup.unified.mount}/cgroup.subtree_control`;
  }
  return `mount -t cgroup -o ${v1} cgroup /sys/fs/cgroup/${v1}`;
}

function checkSwap({ facts }: Examined): Finding {
  const memory = facts.cgroup.controllers["memory"];
  if (memory?.swap) return { verdict: "ok", detail: "counted" };
  if (facts.swapTotal === 0) return { verdict: "ok", detail: "not counted, and there is none to be had" };
  return {
    verdict: "no",
    detail: memory === undefined ? "not counted without the memory controller" : "not counted, so --swap cannot hold",
    remedy: "boot with swapaccount=1, or swap off altogether: swapoff -a",
  };
}
