/**
 * Which kernel settings a container may have of its own.
 *
 * @module
 */
import type { Linux } from "./config.ts";

/** Settings that belong to the IPC namespace (`man 7 ipc_namespaces`). */
const IPC_SYSCTLS =
  /^(kernel\.(msgmax|msgmnb|msgmni|sem|sem_next_id|msg_next_id|shm_next_id|shmall|shmmax|shmmni|shm_rmid_forced|auto_msgmni)|fs\.mqueue\..+)$/;

/** Why a setting cannot be made in these namespaces; undefined where it can: any other than theirs would change the host. */
export function findSysctlProblem({ namespaces }: Pick<Linux, "namespaces">, key: string): string | undefined {
  const has = (wanted: string): boolean => namespaces.some(({ type }) => type === wanted);
  const parts = splitSysctl(key);
  if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("/"))) {
    return "it is no setting's name";
  }
  const name = parts.join(".");
  if (name === "kernel.hostname") return "the host name has a field of its own";
  if (name === "kernel.domainname") return has("uts") ? undefined : "it would change the host's name";
  if (name.startsWith("net.")) {
    return has("network") ? undefined : "it would change the host's network";
  }
  if (IPC_SYSCTLS.test(name)) return has("ipc") ? undefined : "it would change the host's IPC";
  return "it belongs to no namespace and would change the host";
}

/**
 * The directories and the file below `/proc/sys`, as sysctl(8) understands names: the first separator tells which of
 * `.` and `/` it is, so that `net/ipv4/conf/eth0.1/forwarding` names an interface with a point in it.
 */
export function splitSysctl(key: string): readonly string[] {
  const separator = /[./]/.exec(key)?.[0] ?? ".";
  const parts = key.split(separator);
  // With points as separators a slash stands for a point: net.ipv4.conf.eth0/1.forwarding.
  return separator === "/" ? parts : parts.map((part) => part.replaceAll("/", "."));
}
