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
import { message, NLM_F, NLMSG, placeOfAttribute } from "../network/message.ts";
import { BODY, IFLA, INFO_SIZE, RTM, setLink } from "../network/rtnetlink.ts";
import { type Act, AT_FDCWD, flags, type Region, result, type Step, step, text } from "../program/step.ts";
import type { Config } from "../spec/config.ts";
import { expectAcknowledgement, fillIn, messageRegion, openSocket } from "./netlink.ts";

/** In the launcher, before the clone: finds the devices and reads their addresses. */
export function planNetDevices(config: Config): Act[] {
  const devices = listDevices(config);
  if (devices.length === 0) return [];
  return [{
    what: "open a socket to the host's network",
    why: "the devices that the container gets are in there, and are told to move by it",
    shell: [],
    steps: openSocket(SOCKET),
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
  const regions: Record<string, Region> = { [AT]: { size: 8 } };
  for (const { host, name, key } of devices) {
    regions[`${key}.host`] = interfaceRequest(host);
    regions[`${key}.name`] = interfaceRequest(name);
    regions[`${key}.ask`] = messageRegion(ASK);
    regions[`${key}.move`] = messageRegion(moveMessage(name).bytes);
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

// linux/if_addr.h, linux/sockios.h, linux/if.h
const IFA_F_PERMANENT = 0x80;
const SIOCGIFINDEX = 0x8933;
const SIOCGIFFLAGS = 0x8913;
const SIOCSIFFLAGS = 0x8914;
const IFF_UP = 1;
/** Of a request that makes what must not be there yet. */
const NLM_F_CREATE_NEW = NLM_F.CREATE | NLM_F.EXCL;

/** Labels and regions. */
const SOCKET = "net.socket";
const AT = "net.at";
/** Bytes for the addresses of a device; some hundreds of them. */
const ADDRESSES = 65_536;

const LOW_WORD = 0xffffffff;

/** `struct ifreq` (`man 7 netdevice`): the name, and behind it room for the answer. */
function interfaceRequest(name: string): Region {
  return { size: 40, fields: [{ at: 0, bytes: new TextEncoder().encode(name) }] };
}

/** RTM_GETADDR with `struct ifaddrmsg`; the device's index is put into it when the program runs. */
const ASK = message({ type: RTM.GETADDR, flags: NLM_F.REQUEST | NLM_F.DUMP }, new Uint8Array(8));

/** RTM_NEWLINK with a name; the device's index and the namespace's descriptor are put into it when the program runs. */
function moveMessage(name: string): { readonly bytes: Uint8Array; readonly descriptorAt: number } {
  const bytes = setLink(0, { name, namespace: { fd: 0 } });
  return { bytes, descriptorAt: placeOfAttribute(bytes, [[IFLA.NET_NS_FD]], BODY + INFO_SIZE) };
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
      step("sendto", [result(SOCKET), { region: `${key}.ask` }, ASK.length, 0, 0, 0]),
      // Answer after answer, until one has the message in it which says that this was all.
      step("@add", [{ region: addresses }, { load: used }], { label: more }),
      step("@sub", [ADDRESSES, { load: used }]),
      step("recvfrom", [result(SOCKET), { previous: 2 }, { previous: 1 }, 0, 0, 0]),
      step("@store", [{ region: AT }, { previous: 3 }]),
      step("@add", [{ load: used }, { previous: 2 }]),
      step("@store", [{ region: used }, { previous: 1 }]),
      ...typeOfMessage(walk),
      step("@sub", [{ previous: 1 }, NLMSG.DONE], { onZero: "end" }),
      ...nextMessage(),
      ...compareWithEnd(key),
      step("@add", [{ previous: 1 }, 0], { onNegative: walk, onZero: more, onPositive: more }),
    ],
  };
}

function moveDevice(device: NetDevice, namespace: readonly Step[], fault: string): Act {
  const { host, name, key } = device;
  const { bytes, descriptorAt } = moveMessage(name);
  return {
    what: `move the network device ${host} into the container as ${name} (${fieldOf(device)})`,
    why: "asked for: the container has it, and the host has it no more until the container ends",
    shell: [`ip link set ${host} netns $CHILD name ${name}`],
    steps: [
      ...namespace,
      ...fillIn(`${key}.move`, bytes, descriptorAt),
      step("sendto", [result(SOCKET), { region: `${key}.move` }, bytes.length, 0, 0, 0]),
      ...expectAcknowledgement(result(SOCKET), fault, `${key}.moved`),
      // The call takes 32 bits of it.
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
      ...openSocket(socket),
      step("ioctl", [result(socket), SIOCGIFINDEX, { region: `${key}.name` }]),
      step("@and", [{ load: `${key}.name`, offset: INDEX_IN_REQUEST }, LOW_WORD]),
      step("@shl", [{ previous: 1 }, 32], { label: `${key}.index` }),
      step("@store", [{ region: AT }, { region: `${key}.addresses` }]),
      ...typeOfMessage(walk),
      step("@sub", [{ previous: 1 }, NLMSG.DONE], { onZero: up }),
      step("@sub", [{ previous: 2 }, RTM.NEWADDR], { onNegative: next, onPositive: next }),
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
      step("@or", [{ previous: 1 }, BigInt(NLM_F.REQUEST | NLM_F.ACK | NLM_F_CREATE_NEW) << 48n]),
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
