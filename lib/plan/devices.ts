/**
 * Device nodes and links in `/dev` (runtime-spec config-linux.md, "Default Devices" and "Devices").
 *
 * @module
 */
import type { Facts } from "../host/facts.ts";
import { type Act, flags, type Step, step, text } from "../program/step.ts";
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

/** The standard nodes and links, then those that the Config asks for. */
export function planDevices({ config, facts }: { readonly config: Config; readonly facts: Facts }): Act[] {
  const inUserNamespace = config.linux.namespaces.some(({ type }) => type === "user");
  const standard = NODES.map(([name, major, minor]): Device => ({
    type: "c",
    path: `/dev/${name}`,
    major,
    minor,
    fileMode: 0o666,
  }));
  const asked = (config.linux.devices ?? []).filter(({ path }) => !standard.some((node) => node.path === path));
  return [
    ...(inUserNamespace ? standard.map((device) => bindDevice(device, facts)) : [standardNodes(standard, facts)]),
    links(facts),
    // A FIFO is no device of the host's: anybody may make one.
    ...asked.map((device) =>
      inUserNamespace && device.type !== "p" ? bindDevice(device, facts) : oneNode(device, facts)
    ),
  ];
}

function standardNodes(nodes: readonly Device[], facts: Facts): Act {
  return {
    what: "make the standard devices in /dev",
    why:
      "null, zero, full, random, urandom and tty are harmless, and no program gets far without them; no disk is here",
    shell: nodes.map(({ path, major, minor }) => `mknod -m 666 "$ROOT"${path} c ${major} ${minor}`),
    steps: [
      ...openTarget("/dev", facts, { key: "dev.nodes", kind: "directory" }),
      ...nodes.flatMap((node) => makeNode(node)),
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

function oneNode(device: Device, facts: Facts): Act {
  const directory = device.path.slice(0, device.path.lastIndexOf("/")) || "/";
  const mode = (device.fileMode ?? 0o666).toString(8);
  return {
    what: `make the device ${device.path}`,
    why: "asked for",
    shell: [`mknod -m ${mode} "$ROOT"${device.path} ${device.type} ${device.major ?? 0} ${device.minor ?? 0}`],
    steps: [...openTarget(directory, facts, { key: `dev.${device.path}`, kind: "directory" }), ...makeNode(device)],
  };
}

const FILE_TYPES: Readonly<Record<string, number>> = { c: 0o020000, u: 0o020000, b: 0o060000, p: 0o010000 };

/** The node in the directory at `TARGET_FD`. */
function makeNode(device: Device): Step[] {
  const name = text(device.path.slice(device.path.lastIndexOf("/") + 1));
  const mode = (FILE_TYPES[device.type] ?? 0) | (device.fileMode ?? 0o666);
  const steps = [step("mknodat", [TARGET_FD, name, mode, deviceNumber(device.major ?? 0, device.minor ?? 0)])];
  if (device.uid || device.gid) {
    steps.push(step("fchownat", [TARGET_FD, name, device.uid ?? 0, device.gid ?? 0, flags("AT_SYMLINK_NOFOLLOW")]));
  }
  return steps;
}

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
