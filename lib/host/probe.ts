/**
 * Reads the host's facts, once.
 *
 * Every `run` waits for this: five small files and some thirty system calls that change nothing.
 *
 * @module
 */
import { namesOfCapabilities } from "../base/capabilities.ts";
import { PaddockError } from "../base/errors.ts";
import { ARCH, isThere, must, syscall } from "../kernel/syscall.ts";
import { readCgroupFacts } from "./cgroup_facts.ts";
import type { Facts } from "./facts.ts";
import { probeFeatures } from "./features.ts";
import { parseKernelVersion } from "./kernel_version.ts";
import { parseMountInfo } from "./mountinfo.ts";
import { readOriginalNofile } from "./nofile.ts";

/**
 * The facts of this host as they are now.
 *
 * @throws PaddockError where `/proc` is not mounted: without it nothing can be known.
 */
export function probeHost(): Facts {
  const release = Deno.osRelease();
  const version = parseKernelVersion(release);
  const uid = syscall("geteuid");
  const mounts = parseMountInfo(readProc("/proc/self/mountinfo"));
  const filesystems = readProc("/proc/filesystems");
  return {
    arch: ARCH,
    release,
    version,
    has: probeFeatures({ version, uid, filesystems, readText }),
    cgroup: readCgroupFacts(readText, mounts),
    mounts,
    swapTotal: readSwapTotal(),
    nofile: readOriginalNofile(),
    capabilities: namesOfCapabilities(parseBoundingSet(readProc("/proc/self/status"))),
    lastCapability: Number(readText("/proc/sys/kernel/cap_last_cap") ?? "36"),
    uid,
  };
}

/** The text of a file, or `undefined` where it cannot be read. */
export function readText(path: string): string | undefined {
  // Most of what cannot be read is not there, and is cheaper to ask for than to fail over.
  if (!isThere(path)) return undefined;
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return undefined;
  }
}

/** The sixteen hexadecimal digits of `CapBnd` in `/proc/self/status`; all zero where the line is missing. */
export function parseBoundingSet(status: string): string {
  return /^CapBnd:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0";
}

/** `sysinfo(2)`: bytes of swap over all devices; cheaper than the text of `/proc/meminfo`. */
function readSwapTotal(): number {
  const info = new Uint8Array(112);
  must("memory totals", "sysinfo", info);
  const view = new DataView(info.buffer);
  const totalswap = view.getBigUint64(64, true);
  const unit = view.getUint32(104, true);
  return Number(totalswap) * unit;
}

function readProc(path: string): string {
  const text = readText(path);
  if (text !== undefined) return text;
  throw new PaddockError(`cannot read ${path}, and without it nothing is known of this host`, {
    hint: "mount proc on /proc: mount -t proc proc /proc",
  });
}
