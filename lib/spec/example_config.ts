/**
 * The `config.json` that `spec` writes for people to begin with: what `runc spec` writes, equal in effect.
 *
 * @module
 */
import type { Config, Mount, Namespace } from "./config.ts";
import { DEFAULT_PATH, MASKED_PATHS, READONLY_PATHS } from "./defaults.ts";
import { OCI_VERSION } from "./oci_version.ts";

/** Whom a container of an ordinary user belongs to on the host. */
export interface RootlessIds {
  readonly uid: number;
  readonly gid: number;
}

/**
 * A shell on a terminal, in `rootfs` beside the file.
 *
 * @param rootless given: for an ordinary user with these ids, who becomes root in a user namespace
 */
export function exampleConfigFile(rootless?: RootlessIds): Config {
  const capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
  const types = ["pid", ...(rootless === undefined ? ["network"] : []), "ipc", "uts", "mount", "cgroup"];
  return {
    ociVersion: OCI_VERSION,
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: [`PATH=${DEFAULT_PATH}`, "TERM=xterm"],
      cwd: "/",
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "paddock",
    mounts: rootless === undefined ? MOUNTS : MOUNTS.map(toRootless),
    annotations: {},
    linux: {
      // An ordinary user may set no limits.
      ...(rootless === undefined ? { resources: { devices: [{ allow: false, access: "rwm" }] } } : mapOne(rootless)),
      namespaces: [...types, ...(rootless === undefined ? [] : ["user"])].map((type) => ({ type }) as Namespace),
      maskedPaths: MASKED_PATHS,
      readonlyPaths: READONLY_PATHS,
    },
  };
}

function mapOne({ uid, gid }: RootlessIds): Pick<Config["linux"], "uidMappings" | "gidMappings"> {
  return {
    uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
    gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
  };
}

/** With one id only there is no group 5; without a network of its own nobody may mount a sysfs. */
function toRootless(mount: Mount): Mount {
  if (mount.destination === "/dev/pts") {
    return { ...mount, options: (mount.options ?? []).filter((word) => word !== "gid=5") };
  }
  if (mount.type !== "sysfs") return mount;
  return { ...mount, type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"] };
}

const MOUNTS: readonly Mount[] = [
  { destination: "/proc", type: "proc", source: "proc" },
  {
    destination: "/dev",
    type: "tmpfs",
    source: "tmpfs",
    options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
  },
  {
    destination: "/dev/pts",
    type: "devpts",
    source: "devpts",
    options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
  },
  {
    destination: "/dev/shm",
    type: "tmpfs",
    source: "shm",
    options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
  },
  { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
  { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  {
    destination: "/sys/fs/cgroup",
    type: "cgroup",
    source: "cgroup",
    options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
  },
];
