/**
 * The `config.json` that every case changes: a shell in busybox, with the filesystems and namespaces that a Linux
 * program expects, and with what the oldest of the runtimes understands.
 *
 * @module
 */

/** Part of a `config.json`, as it is written; wrong on purpose in some cases. */
export type Fields = Readonly<Record<string, unknown>>;

/** What a case has otherwise. */
export interface Change extends Fields {
  /** Laid over those of the base; undefined leaves a field out. */
  readonly root?: Fields;
  readonly process?: Fields;
  readonly linux?: Fields;
  /** Added to those of the base. */
  readonly mounts?: readonly Fields[];
}

/** The base with a change; other fields of the change are taken as they are. */
export function changeBase({ root, process, linux, mounts = [], ...more }: Change): Fields {
  return {
    ...BASE,
    ...more,
    root: { ...BASE.root, ...root },
    process: { ...BASE.process, ...process },
    linux: { ...BASE.linux, ...linux },
    mounts: [...BASE.mounts, ...mounts],
  };
}

/** The namespaces of the base. */
export const NAMESPACES: readonly Fields[] = ["pid", "network", "ipc", "uts", "mount"].map((type) => ({ type }));

/** The namespaces of the base without one type, and with others added. */
export function namespacesBut(type: string, ...added: readonly Fields[]): readonly Fields[] {
  return [...NAMESPACES.filter((namespace) => namespace["type"] !== type), ...added];
}

const CAPABILITIES = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];

const BASE = {
  ociVersion: "1.0.2",
  root: { path: "rootfs", readonly: false },
  process: {
    user: { uid: 0, gid: 0 },
    args: ["sh"],
    env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"],
    cwd: "/",
    capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
  },
  mounts: [
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
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"],
    },
    { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["nosuid", "noexec", "nodev", "mode=1777"] },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
  ],
  linux: { namespaces: NAMESPACES },
};
