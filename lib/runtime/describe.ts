/**
 * What an OCI runtime says of bundles and of itself: `spec` and `features`.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { syscall } from "../kernel/syscall.ts";
import { exampleConfigFile } from "../spec/example_config.ts";
import { describeFeatures } from "../spec/features.ts";
import { HOOK_NAMES } from "../spec/validate_hooks.ts";
import { SECCOMP_ACTIONS, SECCOMP_ARCHITECTURES, SECCOMP_FLAGS, SECCOMP_OPERATORS } from "../spec/seccomp.ts";

/** A `config.json` to begin with; `isRootless` for whoever calls, without root's rights. */
export function formatExampleConfig(isRootless = false): string {
  const ids = isRootless ? { uid: syscall("geteuid"), gid: syscall("getegid") } : undefined;
  return `${JSON.stringify(exampleConfigFile(ids), null, 2)}\n`;
}

/** Writes it into a bundle. @throws PaddockError where there is one already, or the directory takes none. */
export function writeExampleConfig(path: string, isRootless = false): void {
  try {
    Deno.writeTextFileSync(path, formatExampleConfig(isRootless), { createNew: true, mode: 0o644 });
  } catch (cause) {
    throw new PaddockError(`cannot write ${path}: ${(cause as Error).message}`, {
      hint: "remove the one that is there, or choose another directory with --bundle",
      cause,
    });
  }
}

/** What the compiler of filters knows. */
const SECCOMP = {
  enabled: true,
  actions: SECCOMP_ACTIONS,
  operators: SECCOMP_OPERATORS,
  archs: SECCOMP_ARCHITECTURES,
  knownFlags: SECCOMP_FLAGS,
  supportedFlags: SECCOMP_FLAGS,
};

/** The features document (features.md): about this build, not about the host. */
export function formatFeatures(version: string): string {
  return `${JSON.stringify(describeFeatures({ version, seccomp: SECCOMP, hooks: HOOK_NAMES }), null, 2)}\n`;
}
