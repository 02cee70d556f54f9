/**
 * The flags of the verbs that speak to registries, spelled as podman's and skopeo's.
 *
 * @module
 */
import type { Option } from "./types.ts";

/** How a registry is reached. */
export const REGISTRY_FLAGS: readonly Option[] = [
  { name: "authfile", value: "FILE", path: true, help: "credentials (as podman and docker keep them)" },
  { name: "tls-verify", help: "=false allows plain http and any certificate (on this host it is allowed)" },
  { name: "insecure", help: "the same as --tls-verify=false" },
  { name: "cert-dir", value: "DIR", path: true, help: "*.crt authorities, *.cert and *.key of the client" },
  { name: "ca", value: "FILE", path: true, help: "one more certificate authority" },
  { name: "retry", value: "N", help: "further tries where a registry fails (4)" },
  { name: "timeout", value: "SECONDS", help: "how long a registry may be silent (30)" },
];

/** Those of them that `run` and its like take. */
export const RUN_REGISTRY_FLAGS: readonly Option[] = REGISTRY_FLAGS.filter(({ name }) =>
  // podman's run has a --timeout of its own.
  !["retry", "timeout"].includes(name)
);
