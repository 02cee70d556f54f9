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
import { readCgroupFacts, type ReadText } from "./cgroup_facts.ts";
import type { Facts } from "./facts.ts";
import { probeFeatures } from "./features.ts";
import { parseKernelVersion } from "./kernel_version.ts";
import { parseMountInfo } from "./mountinfo.ts";
import { readOriginalNofile } from "./nofile.ts";

/**
 * The facts of this host as they are now.
 *
 * @param read through which its files are read, for who wants to know what was in them.
 * @throws PaddockError where `/proc` is not mounted: without it nothing can be known.
 */
export function probeHost(read: ReadText = readText): Facts {
  const readProc = (path: string) => requireText(path, read(path));
  const release = Deno.osRelease();
  const version = parseKernelVersion(release);
  const uid = syscall("geteuid");
  const mounts = parseMountInfo(readProc("/proc/self/mountinfo"));
  const filesystems = readProc("/proc/filesystems");
  return {
    arch: ARCH,
    release,
    version,
    has: probeFeatures({ version, uid, filesystems, readText: read }),
    cgroup: readCgroupFacts(read, mounts),
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
  const bytes = readBytes(path);
  return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
}

/** Reads files as `readText` does, and keeps what was in each: those who look later see the same. */
export class ReadLog {
  readonly #seen = new Map<string, Uint8Array | undefined>();

  readonly readText = (path: string): string | undefined => {
    const bytes = this.readBytes(path);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  };

  /** What was in a file when it was first asked for; `undefined` where it could not be read. */
  readBytes(path: string): Uint8Array | undefined {
    if (!this.#seen.has(path)) this.#seen.set(path, readBytes(path));
    return this.#seen.get(path);
  }
}

function readBytes(path: string): Uint8Array | undefined {
  // Most of what cannot be read is not there, and is cheaper to ask for than to fail over.
  if (!isThere(path)) return undefined;
  try {
    return Deno.readFileSync(path);
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

function requireText(path: string, text: string | undefined): string {
  if (text !== undefined) return text;
  throw new PaddockError(`cannot read ${path}, and without it nothing is known of this host`, {
    hint: "mount proc on /proc: mount -t proc proc /proc",
  });
}
