/**
 * Device nodes and links in `/dev` (runtime-spec config-linux.md, "Default Devices" and "Devices").
 *
 * @module
 */
import type { Facts } from "../host/facts.ts";
import { type Act, type Arg, flags, previous, type Step, step, text } from "../program/step.ts";
import type { Config, Device } from "../spec/config.ts";
import { openTarget, TARGET_FD, TARGET_PATH } from "./targets.ts";

/** Nodes that every container has: name, major, minor. */
const NODES: readonly (readonly [string, number, number])[] = [
  ["null", 1, 3],
  ["zero", 1, 5],
  ["full", 1, 7],
  ["random", 1, 8],
  ["urandom", 1, 9],
  ["tty", 5, 0],
];

const LINKS: readonly (readonly [string, string])[] = [
  ["/proc/self/fd", "fd"],
  ["/proc/self/fd/0", "stdin"],
  ["/proc/self/fd/1", "stdout"],
  ["/proc/self/fd/2", "stderr"],
  ["pts/ptmx", "ptmx"],
];

/** The standard nodes and links, then those that the Config asks for; of one path, the one that is asked for. */
export function planDevices({ config, facts }: { readonly config: Config; readonly facts: Facts }): Act[] {
  const inUserNamespace = config.linux.namespaces.some(({ type }) => type === "user");
  const asked = config.linux.devices ?? [];
  const standard = NODES.map(([name, major, minor]): Device => ({
    type: "c",
    path: `/dev/${name}`,
    major,
    minor,
    fileMode: 0o666,
  })).filter((node) => !asked.some(({ path }) => path === node.path));
  const isNew = config.mounts.some(({ destination, type }) => destination === "/dev" && type === "tmpfs");
  return [
    ...(inUserNamespace
      ? standard.map((device) => bindDevice(device, facts))
      : [standardNodes(standard, isNew, facts)]),
    links(facts),
    // A FIFO is no device of the host's: anybody may make one.
    ...asked.map((device, index) =>
      inUserNamespace && device.type !== "p" ? bindDevice(device, facts) : oneNode(device, `dev${index}`, facts)
    ),
  ];
}

/** @param isNew true for a `/dev` that has nothing in it yet; in one of the rootfs they may be there from before */
function standardNodes(nodes: readonly Device[], isNew: boolean, facts: Facts): Act {
  return {
    what: "make the standard devices in /dev",
    why:
      "null, zero, full, random, urandom and tty are harmless, and no program gets far without them; no disk is here",
    shell: nodes.map(({ path, major, minor }) => `mknod -m 666 "$ROOT"${path} c ${major} ${minor}`),
    steps: [
      ...openTarget("/dev", facts, { key: "dev.nodes", kind: "directory" }),
      ...nodes.flatMap((node) => isNew ? makeNode(node) : makeOrFindNode(node, node.path)),
    ],
  };
}

function links(facts: Facts): Act {
  return {
    what: "link the standard streams in /dev",
    why: "/dev/stdin, /dev/stdout, /dev/stderr and /dev/fd are a shell's way to name its descriptors",
    shell: LINKS.map(([to, name]) => `ln -s ${to} "$ROOT"/dev/${name}`),
    steps: [
      ...openTarget("/dev", facts, { key: "dev.links", kind: "existing" }),
      ...LINKS.map(([to, name]) => step("symlinkat", [text(to), TARGET_FD, text(name)], { onNegative: "next" })),
    ],
  };
}

/** @param key stands in the labels of its steps: one path may be asked for twice */
function oneNode(device: Device, key: string, facts: Facts): Act {
  const directory = device.path.slice(0, device.path.lastIndexOf("/")) || "/";
  const mode = (device.fileMode ?? 0o666).toString(8);
  return {
    what: `make the device ${device.path}`,
    why: "asked for",
    shell: [`mknod -m ${mode} "$ROOT"${device.path} ${device.type} ${device.major ?? 0} ${device.minor ?? 0}`],
    steps: [...openTarget(directory, facts, { key, kind: "directory" }), ...makeOrFindNode(device, key)],
  };
}

const FILE_TYPES: Readonly<Record<string, number>> = { c: 0o020000, u: 0o020000, b: 0o060000, p: 0o010000 };

/** The node in the directory at `TARGET_FD`. */
function makeNode(device: Device): Step[] {
  return [mknod(device), ...own(device)];
}

/** The same where a node with those numbers is good as it is, and any other file an error: it exists. */
function makeOrFindNode(device: Device, key: string): Step[] {
  const { type, major = 0, minor = 0 } = device;
  const [there, made, other] = [`${key}.there`, `${key}.made`, `${key}.other`];
  const isOther = { onNegative: other, onPositive: other };
  return [
    mknod(device, { onNegative: there }),
    step("@add", [0, 0], { onZero: made }),
    step("statx", [TARGET_FD, nameOf(device), flags("AT_SYMLINK_NOFOLLOW"), STATX_BASIC, { region: "path" }], {
      label: there,
      onNegative: other,
    }),
    step("@and", [{ load: "path", offset: STATX_MODE }, 0o170000]),
    step("@sub", [previous(), FILE_TYPES[type] ?? 0], isOther),
    // A FIFO has no numbers.
    step("@sub", [{ load: "path", offset: STATX_RDEV }, type === "p" ? 0 : 2 ** 32 * minor + major], isOther),
    step("@add", [0, 0], { onZero: made }),
    mknod(device, { label: other }),
    step("@add", [0, 0], { label: made }),
    ...own(device),
  ];
}

function mknod(device: Device, more: Pick<Step, "label" | "onNegative"> = {}): Step {
  const { type, fileMode = 0o666, major = 0, minor = 0 } = device;
  const mode = (FILE_TYPES[type] ?? 0) | (fileMode & 0o7777);
  return step("mknodat", [TARGET_FD, nameOf(device), mode, deviceNumber(major, minor)], more);
}

function own(device: Device): Step[] {
  const { uid = 0, gid = 0 } = device;
  if (uid === 0 && gid === 0) return [];
  return [step("fchownat", [TARGET_FD, nameOf(device), uid, gid, flags("AT_SYMLINK_NOFOLLOW")])];
}

function nameOf({ path }: Device): Arg {
  return text(path.slice(path.lastIndexOf("/") + 1));
}

/** `struct statx` (`man 2 statx`): the mode in 16 bits; major and minor of a device in 32 each, side by side. */
const STATX_BASIC = 0x7ff;
const STATX_MODE = 28;
const STATX_RDEV = 128;

/** Major and minor as system calls take them (`new_encode_dev` in the kernel's `kdev_t.h`). */
export function deviceNumber(major: number, minor: number): number {
  return ((minor & 0xff) | (major << 8) | ((minor & ~0xff) << 12)) >>> 0;
}

/** A user namespace may make no nodes: the host's is mounted in its place. */
function bindDevice({ path }: Device, facts: Facts): Act {
  return {
    what: `mount the host's ${path}`,
    why: "in a user namespace no device node can be made, so the host's own is mounted here",
    shell: [`touch "$ROOT"${path} && mount --bind ${path} "$ROOT"${path}`],
    steps: [
      ...openTarget(path, facts, { key: `dev.${path}`, kind: "file" }),
      step("mount", [text(path), text(TARGET_PATH), 0, flags("MS_BIND"), 0]),
    ],
  };
}
