/**
 * What `features` tells of this build (runtime-spec features.md and features-linux.md): from the very tables that the
 * parser, the checks and the plans read, so that it cannot say what they do not do.
 *
 * @module
 */
import { CAPABILITIES } from "../base/capabilities.ts";
import { OCI_VERSION } from "./oci_version.ts";
import { MEMORY_FLAGS, MEMORY_MODES } from "./kernel_names.ts";
import { listMountWords } from "./mount_words.ts";
import { NAMESPACE_TYPES } from "./parse.ts";

/** `linux.seccomp` of the document. */
export interface SeccompFeatures {
  readonly enabled: boolean;
  readonly actions?: readonly string[];
  readonly operators?: readonly string[];
  readonly archs?: readonly string[];
  readonly knownFlags?: readonly string[];
  readonly supportedFlags?: readonly string[];
}

/** What the document depends on beside this folder. */
export interface Build {
  /** paddock's own version. */
  readonly version: string;
  readonly seccomp: SeccompFeatures;
  /** Hooks that are called, in their order. */
  readonly hooks: readonly string[];
}

/** The document, as it is printed. It is about the program and not about the host. */
export interface Features {
  readonly ociVersionMin: string;
  readonly ociVersionMax: string;
  readonly hooks: readonly string[];
  readonly mountOptions: readonly string[];
  readonly linux: LinuxFeatures;
  readonly annotations: Readonly<Record<string, string>>;
  /** Keys, or beginnings that end with a point, of annotations that weaken a container. */
  readonly potentiallyUnsafeConfigAnnotations: readonly string[];
}

/** The part about Linux. */
export interface LinuxFeatures {
  readonly namespaces: readonly string[];
  readonly capabilities: readonly string[];
  readonly cgroup: Readonly<Record<"v1" | "v2" | "systemd" | "systemdUser" | "rdma", boolean>>;
  readonly seccomp: SeccompFeatures;
  readonly apparmor: { readonly enabled: boolean };
  readonly selinux: { readonly enabled: boolean };
  readonly intelRdt: Readonly<Record<"enabled" | "schemata" | "monitoring", boolean>>;
  readonly memoryPolicy: { readonly modes: readonly string[]; readonly flags: readonly string[] };
  readonly mountExtensions: { readonly idmap: { readonly enabled: boolean } };
  readonly netDevices: { readonly enabled: boolean };
}

/** The document for a build. */
export function describeFeatures({ version, seccomp, hooks }: Build): Features {
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: OCI_VERSION,
    hooks,
    mountOptions: listMountWords(),
    linux: {
      namespaces: [...NAMESPACE_TYPES].sort(),
      capabilities: CAPABILITIES.map((name) => `CAP_${name.toUpperCase()}`),
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: false, rdma: true },
      seccomp,
      apparmor: { enabled: true },
      selinux: { enabled: true },
      intelRdt: { enabled: true, schemata: true, monitoring: true },
      memoryPolicy: { modes: Object.keys(MEMORY_MODES), flags: Object.keys(MEMORY_FLAGS) },
      mountExtensions: { idmap: { enabled: true } },
      netDevices: { enabled: true },
    },
    annotations: { "dev.paddock.version": version },
    // A unit's properties change what systemd does for it, as root.
    potentiallyUnsafeConfigAnnotations: ["org.systemd.property."],
  };
}
