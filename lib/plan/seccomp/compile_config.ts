/**
 * The filter that a Config asks for.
 *
 * @module
 */
import type { Arch } from "../../program/step.ts";
import type { Config, Seccomp, SeccompArch } from "../../spec/config.ts";
import { MACHINE_INTERFACES } from "./architectures.ts";
import { compileSeccomp } from "./compile.ts";
import { defaultSeccomp } from "./default_profile.ts";

/**
 * Compiles the profile of a Config, or the default for its capabilities.
 *
 * @throws PaddockError where the program is larger than the kernel takes.
 */
export function compileConfig({ linux: { seccomp }, process }: Config, arch: Arch): Uint8Array<ArrayBuffer> {
  const profile = seccomp === undefined
    ? defaultSeccomp(arch, process.capabilities?.bounding ?? [])
    : withoutForeign(seccomp, arch);
  return compileSeccomp(profile, MACHINE_INTERFACES[arch][0]!);
}

/** A launcher is for one machine: no call is ever made there by an interface of another. */
function withoutForeign(profile: Seccomp, arch: Arch): Seccomp {
  const used: readonly SeccompArch[] = MACHINE_INTERFACES[arch];
  return { ...profile, architectures: (profile.architectures ?? []).filter((name) => used.includes(name)) };
}
