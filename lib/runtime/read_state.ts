/**
 * What containers that were created from bundles are now: state and list (runtime-spec runtime.md, Query State).
 *
 * @module
 */
import { isThere } from "../kernel/syscall.ts";
import { OCI_VERSION } from "../spec/oci_version.ts";
import { type BundleContainer, listBundleContainers, openBundleContainer } from "../state/bundle_container.ts";
import type { Roots } from "../state/root.ts";

/** What `state` prints: runtime.md, State, and what runc adds that engines read. */
export interface OciState {
  readonly ociVersion: string;
  readonly id: string;
  readonly pid: number;
  readonly status: string;
  readonly bundle: string;
  readonly rootfs: string;
  readonly created: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly owner: string;
}

/** The state of a container. @throws PaddockError where there is none. */
export function readState(id: string, { root }: Roots): OciState {
  return stateOf(openBundleContainer(root, id));
}

/** The states of all. */
export function listStates({ root }: Roots): OciState[] {
  return listBundleContainers(root).map((seen) => ({ ...stateOf(seen), owner: ownerOf(seen) }));
}

/** Who made it: a name, or a number with a mark where it has none, as runc writes them. */
function ownerOf({ directory }: BundleContainer): string {
  const { uid } = Deno.statSync(directory);
  const users = isThere("/etc/passwd") ? Deno.readTextFileSync("/etc/passwd").split("\n") : [];
  return users.map((line) => line.split(":")).find((fields) => fields[2] === String(uid))?.[0] ?? `#${uid}`;
}

function stateOf({ id, record, status, pid }: BundleContainer): OciState {
  return {
    ociVersion: OCI_VERSION,
    id,
    pid: status === "stopped" || pid === undefined ? 0 : pid,
    status,
    bundle: record.bundle ?? "",
    rootfs: record.layers?.[0] ?? "",
    created: record.created,
    ...(record.annotations === undefined ? {} : { annotations: record.annotations }),
    owner: "",
  };
}
