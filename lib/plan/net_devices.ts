/**
 * Network interfaces of the host that the container gets: `linux.netDevices` (runtime-spec config-linux.md, Network
 * Devices; `man 7 rtnetlink`).
 *
 * The kernel takes an interface's addresses away when it moves: the lasting ones of global scope are read before and
 * set again behind.
 *
 * ```
 *   launcher, in the host's network            container
 *   find each device, read its addresses
 *   clone ───────────────────────────────────▶ enter its network namespace
 *                                              move the devices, by the launcher's socket
 *                                              set their addresses, bring them up
 * ```
 *
 * With a user namespace of its own the container may not take what is the host's, and the launcher moves the devices
 * while it waits.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import {
  type Act,
  type Arg,
  AT_FDCWD,
  type Field,
  flags,
  type Region,
  result,
  type Step,
  step,
  text,
} from "../program/step.ts";
import type { Config } from "../spec/config.ts";

/** In the launcher, before the clone: finds the devices and reads their addresses. */
export function planNetDevices(config: Config): Act[] {
  const devices = listDevices(config);
  if (devices.length === 0) return [];
  return [{
    what: "open a socket to the host's network",
    why: "the devices that the container gets are in there, and are told to move by it",
    shell: [],
    steps: [
      step("socket", [AF_NETLINK, flags("SOCK_RAW", "SOCK_CLOEXEC"), NETLINK_ROUTE], { label: SOCKET }),
      // The kernel then tells the addresses of one device only; older ones tell all, and they are sorted out.
      step("setsockopt", [result(SOCKET), SOL_NETLINK, NETLINK_GET_STRICT_CHK, { block: ONE }, 4], {
        onNegative: "next",
      }),
    ],
  }, ...devices.map(readAddresses)];
}

/**
 * Moves the devices.
 *
 * @param namespace the steps of which the last one gives a descriptor of the container's network namespace
 * @param fault label of the step that takes over when a device cannot be moved
 */
export function planMove(config: Config, namespace: readonly Step[], fault: string): Act[] {
  return listDevices(config).map((device) => moveDevice(device, namespace, fault));
}

/** In the container, when the devices are there: addresses, and up. */
export function planNetAddresses(config: Config): Act[] {
  return listDevices(config).map(setUp);
}

/** The descriptor of the network namespace that the process itself is in. */
export const OWN_NETWORK: readonly Step[] = [
  step("openat", [AT_FDCWD, text("/proc/self/ns/net"), flags("O_RDONLY", "O_CLOEXEC")]),
];

/** Memory for messages. */
export function netDeviceRegions(config: Config): Readonly<Record<string, Region>> {
  const devices = listDevices(config);
  if (devices.length === 0) return {};
  const regions: Record<string, Region> = { [AT]: { size: 8 }, [REPLY]: { size: REPLY_SIZE } };
  for (const { host, name, key } of devices) {
    const { message, size } = moveMessage(name);
    regions[`${key}.host`] = interfaceRequest(host);
    regions[`${key}.name`] = interfaceRequest(name);
    regions[`${key}.ask`] = { size: 32, fields: header(24, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP) };
    regions[`${key}.move`] = { size: size + 8, fields: message };
    regions[`${key}.used`] = { size: 8 };
    regions[`${key}.addresses`] = { size: ADDRESSES };
  }
  return regions;
}

interface NetDevice {
  /** The name on the host. */
  readonly host: string;
  /** The name in the container. */
  readonly name: string;
  /** Unique in the plan. */
  readonly key: string;
}

/** @throws PaddockError where nobody may move them */
function listDevices({ linux: { netDevices = {}, namespaces } }: Config): NetDevice[] {
  const devices = Object.entries(netDevices).map(([host, { name = host }], index) => ({
    host,
    name,
    key: `net${index}`,
  }));
  if (devices.length > 0 && namespaces.some(({ type, path }) => type === "user" && path !== undefined)) {
    throw new PaddockError(
      "linux.netDevices: a container that joins a user namespace cannot take devices of the host",
      {
        hint: "let it join a network namespace that has them",
      },
    );
  }
  return devices;
}

// linux/netlink.h, linux/rtnetlink.h, linux/if_link.h, linux/sockios.h
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
const SOL_NETLINK = 270;
const NETLINK_GET_STRICT_CHK = 12;
const NLM_F_REQUEST = 0x1;
const NLM_F_ACK = 0x4;
const NLM_F_DUMP = 0x300;
const NLM_F_CREATE_NEW = 0x600;
const NLMSG_DONE = 3;
const RTM_NEWLINK = 16;
const RTM_NEWADDR = 20;
const RTM_GETADDR = 22;
const IFLA_IFNAME = 3;
const IFLA_NET_NS_FD = 28;
const IFA_F_PERMANENT = 0x80;
const SIOCGIFINDEX = 0x8933;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;

/** Labels and regions. */
const SOCKET = "net.socket";
const AT = "net.at";
const REPLY = "net.reply";
const REPLY_SIZE = 4096;
/** Bytes for the addresses of a device; some hundreds of them. */
const ADDRESSES = 65_536;

const ONE = { size: 4, fields: [{ at: 0, size: 4, value: 1 }] } as const;
const LOW_WORD = 0xffffffff;

/** `struct ifreq` (`man 7 netdevice`): the name, and behind it room for the answer. */
function interfaceRequest(name: string): Region {
  return { size: 40, fields: [{ at: 0, bytes: new TextEncoder().encode(name) }] };
}

/** `struct nlmsghdr`. */
function header(length: number, type: number, bits: number): Field[] {
  return [{ at: 0, size: 4, value: length }, { at: 4, size: 2, value: type }, { at: 6, size: 2, value: bits }];
}

/** RTM_NEWLINK with a name; the device's index and the namespace's descriptor are put into it when the program runs. */
function moveMessage(
  name: string,
): { readonly message: Field[]; readonly size: number; readonly descriptorAt: number } {
  const bytes = new TextEncoder().encode(name);
  const nameSize = 4 + bytes.length + 1;
  const next = 32 + Math.ceil(nameSize / 4) * 4;
  const size = next + 8;
  return {
    size,
    descriptorAt: next + 4,
    message: [
      ...header(size, RTM_NEWLINK, NLM_F_REQUEST | NLM_F_ACK),
      { at: 32, size: 2, value: nameSize },
      { at: 34, size: 2, value: IFLA_IFNAME },
      { at: 36, bytes },
      { at: next, size: 2, value: 8 },
      { at: next + 2, size: 2, value: IFLA_NET_NS_FD },
    ],
  };
}

/** The index stands in `struct ifreq` behind the name; a message has it behind its header and four bytes. */
const INDEX_IN_REQUEST = 16;
const INDEX_IN_MESSAGE = 20;

function fieldOf({ host }: NetDevice): string {
  return `linux.netDevices[${JSON.stringify(host)}]`;
}

function readAddresses(device: NetDevice): Act {
  const { host, key } = device;
  const [used, addresses] = [`${key}.used`, `${key}.addresses`];
  const more = `${key}.more`;
  const walk = `${key}.walk`;
  return {
    what: `find the network device ${host} (${fieldOf(device)})`,
    why: "asked for: the container gets it; it loses its addresses by that, so they are read before",
    shell: [`ip -json address show dev ${host}`],
    steps: [
      step("ioctl", [result(SOCKET), SIOCGIFINDEX, { region: `${key}.host` }]),
      step("@and", [{ load: `${key}.host`, offset: INDEX_IN_REQUEST }, LOW_WORD]),
      step("@store", [{ region: `${key}.ask`, offset: INDEX_IN_MESSAGE }, { previous: 1 }]),
      step("@store", [{ region: `${key}.move`, offset: INDEX_IN_MESSAGE }, { previous: 2 }]),
      step("sendto", [result(SOCKET), { region: `${key}.ask` }, 24, 0, 0, 0]),
      // Answer after answer, until one has the message in it which says that this was all.
      step("@add", [{ region: addresses }, { load: used }], { label: more }),
      step("@sub", [ADDRESSES, { load: used }]),
      step("recvfrom", [result(SOCKET), { previous: 2 }, { previous: 1 }, 0, 0, 0]),
      step("@store", [{ region: AT }, { previous: 3 }]),
      step("@add", [{ load: used }, { previous: 2 }]),
      step("@store", [{ region: used }, { previous: 1 }]),
      ...typeOfMessage(walk),
      step("@sub", [{ previous: 1 }, NLMSG_DONE], { onZero: "end" }),
      ...nextMessage(),
      ...compareWithEnd(key),
      step("@add", [{ previous: 1 }, 0], { onNegative: walk, onZero: more, onPositive: more }),
    ],
  };
}

function moveDevice(device: NetDevice, namespace: readonly Step[], fault: string): Act {
  const { host, name, key } = device;
  const { size, descriptorAt } = moveMessage(name);
  return {
    what: `move the network device ${host} into the container as ${name} (${fieldOf(device)})`,
    why: "asked for: the container has it, and the host has it no more until the container ends",
    shell: [`ip link set ${host} netns $CHILD name ${name}`],
    steps: [
      ...namespace,
      step("@store", [{ region: `${key}.move`, offset: descriptorAt }, { previous: 1 }]),
      step("sendto", [result(SOCKET), { region: `${key}.move` }, size, 0, 0, 0]),
      ...expectAcknowledgement(result(SOCKET), fault, `${key}.moved`),
      step("close", [{ load: `${key}.move`, offset: descriptorAt }], { label: `${key}.moved` }),
    ],
  };
}

function setUp(device: NetDevice): Act {
  const { name, key } = device;
  const socket = `${key}.socket`;
  const [walk, next, up] = [`${key}.each`, `${key}.next`, `${key}.up`];
  return {
    what: `set up the network device ${name} (${fieldOf(device)})`,
    why: "its lasting addresses of global scope are those that it had on the host, and it is up",
    shell: [`ip address add … dev ${name}`, `ip link set ${name} up`],
    steps: [
      step("socket", [AF_NETLINK, flags("SOCK_RAW", "SOCK_CLOEXEC"), NETLINK_ROUTE], { label: socket }),
      step("ioctl", [result(socket), SIOCGIFINDEX, { region: `${key}.name` }]),
      step("@and", [{ load: `${key}.name`, offset: INDEX_IN_REQUEST }, LOW_WORD]),
      step("@shl", [{ previous: 1 }, 32], { label: `${key}.index` }),
      step("@store", [{ region: AT }, { region: `${key}.addresses` }]),
      ...typeOfMessage(walk),
      step("@sub", [{ previous: 1 }, NLMSG_DONE], { onZero: up }),
      step("@sub", [{ previous: 2 }, RTM_NEWADDR], { onNegative: next, onPositive: next }),
      // family, prefix, flags, scope, index (`struct ifaddrmsg`): global is scope 0.
      step("@load", [{ load: AT }, 16], { label: `${key}.about` }),
      step("@shr", [{ previous: 1 }, 32]),
      step("@and", [{ load: `${key}.ask`, offset: INDEX_IN_MESSAGE }, LOW_WORD]),
      step("@sub", [{ previous: 1 }, { previous: 2 }], { onNegative: next, onPositive: next }),
      step("@and", [result(`${key}.about`), 0xff000000], { onPositive: next }),
      step("@and", [result(`${key}.about`), IFA_F_PERMANENT << 16], { onZero: next }),
      // The message itself is the request, but for its flags and the device's index, which may be another here.
      step("@load", [{ load: AT }, 0]),
      step("@and", [{ previous: 1 }, (1n << 48n) - 1n]),
      step("@or", [{ previous: 1 }, BigInt(NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE_NEW) << 48n]),
      step("@store", [{ load: AT }, { previous: 1 }]),
      step("@and", [result(`${key}.about`), LOW_WORD]),
      step("@or", [{ previous: 1 }, result(`${key}.index`)]),
      step("@add", [{ load: AT }, 16]),
      step("@store", [{ previous: 1 }, { previous: 2 }]),
      step("@load", [{ load: AT }, 0]),
      step("@and", [{ previous: 1 }, LOW_WORD]),
      step("sendto", [result(socket), { load: AT }, { previous: 1 }, 0, 0, 0]),
      ...expectAcknowledgement(result(socket), "container.fault", next),
      { ...NO_STEP, label: next },
      ...nextMessage(),
      ...compareWithEnd(key),
      step("@add", [{ previous: 1 }, 0], { onNegative: walk }),
      step("ioctl", [result(socket), SIOCGIFFLAGS, { region: `${key}.name` }], { label: up }),
      step("@or", [{ load: `${key}.name`, offset: INDEX_IN_REQUEST }, IFF_UP]),
      step("@store", [{ region: `${key}.name`, offset: INDEX_IN_REQUEST }, { previous: 1 }]),
      step("ioctl", [result(socket), SIOCSIFFLAGS, { region: `${key}.name` }]),
      step("close", [result(socket)]),
    ],
  };
}

const NO_STEP = step("@add", [0, 0]);

/** The type of the message at `AT`. */
function typeOfMessage(label: string): Step[] {
  return [step("@load", [{ load: AT }, 4], { label }), step("@and", [{ previous: 1 }, 0xffff])];
}

/** Goes on by the length of the message at `AT`, in whole words. */
function nextMessage(): Step[] {
  return [
    step("@load", [{ load: AT }, 0]),
    step("@and", [{ previous: 1 }, LOW_WORD]),
    step("@add", [{ previous: 1 }, 3]),
    step("@and", [{ previous: 1 }, ~3]),
    step("@add", [{ load: AT }, { previous: 1 }]),
    step("@store", [{ region: AT }, { previous: 1 }]),
  ];
}

/** Below zero while there are messages left. */
function compareWithEnd(key: string): Step[] {
  return [
    step("@add", [{ region: `${key}.addresses` }, { load: `${key}.used` }]),
    step("@sub", [{ load: AT }, { previous: 1 }]),
  ];
}

/** The kernel's answer: an error's number below zero in 32 bits, or zero, which leads to `done`. */
function expectAcknowledgement(socket: Arg, fault: string, done: string): Step[] {
  return [
    step("recvfrom", [socket, { region: REPLY }, REPLY_SIZE, 0, 0, 0]),
    step("@and", [{ load: REPLY, offset: 16 }, LOW_WORD], { onZero: done }),
    step("@sub", [{ previous: 1 }, 1n << 32n], { onNegative: fault }),
  ];
}
