/**
 * The profile of system calls: read, and compiled. Most containers have the default with the default capabilities, which
 * is there compiled; for all others the compiler and its tables are loaded here, and not before.
 *
 * @module
 */
import { UsageError } from "../base/errors.ts";
import type { Facts } from "../host/facts.ts";
import { hasFilter } from "../plan/seccomp/acts.ts";
import { readyFilter } from "../plan/seccomp/ready_filters.ts";
import type { Config } from "../spec/config.ts";
import type { RunOptions } from "../spec/run_options.ts";

/**
 * The Config with the profile of `--security-opt seccomp=FILE`, as it is on this machine and with these capabilities.
 *
 * @throws UsageError where the file is none.
 */
export async function withProfile(config: Config, { seccomp }: RunOptions, facts: Facts): Promise<Config> {
  if (seccomp.kind !== "file") return config;
  const { parseSeccompFile } = await import("../spec/seccomp_file.ts");
  const capabilities = config.process.capabilities?.bounding ?? [];
  try {
    const profile = parseSeccompFile(seccomp.text, { arch: facts.arch, kernel: facts.version, capabilities });
    return { ...config, linux: { ...config.linux, seccomp: profile } };
  } catch (cause) {
    throw new UsageError(`--security-opt seccomp=${seccomp.path}: ${(cause as Error).message}`, { cause });
  }
}

/**
 * The filter that a Config asks for; undefined where it asks for none.
 *
 * @throws PaddockError where the kernel would not take it.
 */
export async function compileFilter(config: Config, { arch }: Facts): Promise<Uint8Array | undefined> {
  if (!hasFilter(config)) return undefined;
  const ready = config.linux.seccomp === undefined
    ? readyFilter(arch, config.process.capabilities?.bounding ?? [])
    : undefined;
  if (ready !== undefined) return ready;
  const { compileConfig } = await import("../plan/seccomp/compile_config.ts");
  return compileConfig(config, arch);
}
