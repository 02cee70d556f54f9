/**
 * The network of a container that has one: a cable from its `eth0` to a bridge of the host, addresses, and ports of the
 * host that lead to it. The bridge, and the table in which ports are looked up, are there already.
 *
 * ```
 *   launcher, in the host's network            container
 *   reserve and publish ports
 *   open a socket to the host's network
 *   clone ───────────────────────────────────▶ enter its network namespace
 *                                              make the cable, by the launcher's socket
 *                                              addresses, up, the way out
 *   …
 *   take ports away, give addresses back
 * ```
 *
 * With a user namespace of its own the container may not change the host's network, and the launcher makes the cable
 * while it waits. The kernel removes the cable with the container's network namespace.
 *
 * @module
 */
import { parseMac, readAddress, socketAddress } from "../network/addresses.ts";
import { batch, deleteElements, type Element, newElements, type NftSet, type TableName } from "../network/nftables.ts";
import {
  ADDRESS_INDEX_AT,
  BODY,
  familyOf,
  newAddress,
  newDefaultRoute,
  newVeth,
  placeOfPeerNamespace,
  setHairpin,
  setLink,
} from "../network/rtnetlink.ts";
import { portElement } from "../network/table.ts";
import { type Act, AT_FDCWD, flags, previous, type Region, result, type Step, step, text } from "../program/step.ts";
import type { Attachment, Port } from "../spec/network.ts";
import { expectAcknowledgement, fillIn, messageRegion, NETLINK, openSocket, sendConstant } from "./netlink.ts";
import type { NetworkActs } from "./setting.ts";

/** The container's end of the cable. */
export const INTERFACE = "eth0";

/** A container's place in a network, and where the rest of the network is. */
export interface NetworkSetting {
  readonly attachment: Attachment;
  /** Index of the bridge among the host's interfaces. */
  readonly bridgeIndex: number;
  /** Name of paddock's tables of nf_tables. */
  readonly table: string;
  /** Files that say whose the addresses are, to be removed at the end. */
  readonly leases: readonly string[];
}

/** All of it. */
export function planNetwork(network: NetworkSetting): NetworkActs {
  return {
    before: planHostNetwork(network),
    connect: (namespace, fault) => [planCable(network, namespace, fault)],
    within: planOwnNetwork(network),
    after: planDisconnect(network),
    again: planReconnect(network),
    regions: networkRegions(network),
  };
}

/** In the launcher, before the clone. */
function planHostNetwork(network: NetworkSetting): Act[] {
  return [
    ...network.attachment.ports.map(reservePort),
    ...publishPorts(network),
    {
      what: "open a socket to the host's network",
      why: "one end of the container's cable is in there, and is made by it",
      shell: [],
      steps: openSocket(SOCKET),
    },
  ];
}

/** Makes the cable. */
function planCable(network: NetworkSetting, namespace: readonly Step[], fault: string): Act {
  const { bridge, hostEnd, macAddress, mtu, ports } = network.attachment;
  const bytes = cableMessage(network);
  return {
    what: `connect the container's ${INTERFACE} with the bridge ${bridge}`,
    why:
      "a cable of two interfaces: one in the container, the other a port of the bridge that the network's containers share",
    shell: [
      `ip link add ${hostEnd} mtu ${mtu} master ${bridge} up type veth peer name ${INTERFACE} mtu ${mtu} ` +
      `address ${macAddress} netns $CHILD`,
      ...(ports.length === 0 ? [] : [`ip link set ${hostEnd} type bridge_slave hairpin on`]),
    ],
    steps: [
      ...namespace,
      ...fillIn(CABLE, bytes, placeOfPeerNamespace(bytes)),
      step("sendto", [result(SOCKET), { region: CABLE }, bytes.length, 0, 0, 0]),
      ...expectAcknowledgement(result(SOCKET), fault, "cable.made"),
      // The call takes 32 bits of it.
      step("close", [{ load: CABLE, offset: placeOfPeerNamespace(bytes) }], { label: "cable.made" }),
      // Its own published ports it reaches by the host's addresses as well.
      ...(ports.length === 0 ? [] : [
        sendConstant(result(SOCKET), setHairpin(hostEnd)),
        ...expectAcknowledgement(result(SOCKET), fault, "end"),
      ]),
    ],
  };
}

/** In the container, when the cable is there. */
function planOwnNetwork(network: NetworkSetting): Act[] {
  const { addresses, gateways } = network.attachment;
  const change = (key: string, bytes: Uint8Array, indexAt: number): Step[] => [
    step("@add", [result(INDEX), 0]),
    ...fillIn(key, bytes, indexAt),
    step("sendto", [result(OWN_SOCKET), { region: key }, bytes.length, 0, 0, 0]),
    ...expectAcknowledgement(result(OWN_SOCKET), "container.fault", `${key}.done`),
    step("@add", [0, 0], { label: `${key}.done` }),
  ];
  return [
    {
      what: `give ${INTERFACE} the address ${addresses.join(" and ")}`,
      why: "the network has given it to this container alone",
      shell: [
        ...addresses.map((address) => `ip address add ${address} dev ${INTERFACE}`),
        `ip link set ${INTERFACE} up`,
      ],
      steps: [
        ...openSocket(OWN_SOCKET),
        step("ioctl", [result(OWN_SOCKET), SIOCGIFINDEX, { region: REQUEST }]),
        step("@and", [{ load: REQUEST, offset: 16 }, 0xffffffff], { label: INDEX }),
        ...addressMessages(network.attachment).flatMap((bytes, at) => change(`${OWN}${at}`, bytes, ADDRESS_INDEX_AT)),
        ...change(UP, UP_MESSAGE, LINK_INDEX_AT),
      ],
    },
    ...(gateways.length === 0 ? [] : [{
      what: `make ${gateways.join(" and ")} the way out`,
      why: "the host's end of the bridge passes on what is for others",
      shell: gateways.map((gateway) => `ip route add default via ${gateway}`),
      steps: [
        ...gateways.flatMap((gateway, at) => [
          sendConstant(result(OWN_SOCKET), newDefaultRoute(readAddress(gateway))),
          ...expectAcknowledgement(result(OWN_SOCKET), "container.fault", `route${at}.done`),
          step("@add", [0, 0], { label: `route${at}.done` }),
        ]),
        step("close", [result(OWN_SOCKET)]),
      ],
    }]),
  ];
}

/** In the launcher, when the container is over: whatever fails is done by the next paddock. */
function planDisconnect(network: NetworkSetting): Act[] {
  const giveBack: Act = {
    what: "give its addresses and names back",
    why: "the network may give them to others",
    shell: network.leases.map((path) => `rm ${path}`),
    steps: network.leases.map((path) => step("unlinkat", [AT_FDCWD, text(path), 0], { onNegative: "next" })),
  };
  return [...unpublishPorts(network), giveBack];
}

/**
 * In the launcher, before the container is started again. Its old cable goes with the namespace of its old network, which
 * the kernel takes down when it gets to it: a new one of that name cannot be made before.
 */
function planReconnect(network: NetworkSetting): Act[] {
  const pause = { size: 16, fields: [{ at: 8, size: 4, value: 10_000_000 }] } as const;
  return [...unpublishPorts(network), {
    what: "wait until the old cable is gone",
    why: "the next one has its name",
    shell: [],
    steps: [
      step("@store", [{ region: "counter" }, 0]),
      step("faccessat", [AT_FDCWD, text(`/sys/class/net/${network.attachment.hostEnd}`), 0], {
        label: "cable.old",
        onNegative: "end",
      }),
      step("nanosleep", [{ block: pause }, 0], { onNegative: "next" }),
      step("@add", [{ load: "counter" }, 1]),
      step("@store", [{ region: "counter" }, previous()]),
      // Ten seconds; then the new one will fail, and say why.
      step("@sub", [previous(), 1000], { onNegative: "cable.old" }),
    ],
  }];
}

function unpublishPorts(network: NetworkSetting): Act[] {
  const changes = elements(network).map(({ table, map, element }) =>
    batch([deleteElements(table, map, [element.key])])
  );
  if (changes.length === 0) return [];
  return [{
    what: "take the published ports away",
    why: "nobody answers there any more",
    shell: elements(network).map(({ shell }) => `nft delete element ${shell.key}`),
    steps: [
      ...openSocket("ports.socket", NETLINK.NETFILTER).map((one) => ({ ...one, onNegative: "next" })),
      ...changes.map((bytes) => ({ ...sendConstant(result("ports.socket"), bytes), onNegative: "next" })),
      step("close", [result("ports.socket")], { onNegative: "next" }),
    ],
  }];
}

/** Memory for messages. */
function networkRegions(network: NetworkSetting): Readonly<Record<string, Region>> {
  const addresses = addressMessages(network.attachment).map((bytes, at) => [`${OWN}${at}`, messageRegion(bytes)]);
  return {
    [CABLE]: messageRegion(cableMessage(network)),
    [UP]: messageRegion(UP_MESSAGE),
    // `struct ifreq` (`man 7 netdevice`): the name, and behind it room for the answer.
    [REQUEST]: { size: 40, fields: [{ at: 0, bytes: new TextEncoder().encode(INTERFACE) }] },
    ...Object.fromEntries(addresses),
  };
}

/** Labels and regions. */
const SOCKET = "network.socket";
const OWN_SOCKET = "network.own";
const CABLE = "network.cable";
const UP = "network.up";
const REQUEST = "network.request";
const INDEX = "network.index";
const OWN = "network.address";

const SIOCGIFINDEX = 0x8933;
/** `struct ifinfomsg`: the index behind family and type. */
const LINK_INDEX_AT = BODY + 4;
const UP_MESSAGE = setLink(0, { up: true });

/** The host's end is a port of the bridge, and up, from the beginning; the other end cannot be before both are there. */
function cableMessage({ attachment: { hostEnd, macAddress, mtu }, bridgeIndex }: NetworkSetting): Uint8Array {
  return newVeth(
    { name: hostEnd, mtu, master: bridgeIndex, up: true },
    { name: INTERFACE, mtu, address: parseMac(macAddress), namespace: { fd: 0 } },
  );
}

/** Nobody else can have them: IPv6 need not ask. */
function addressMessages({ addresses }: Attachment): Uint8Array[] {
  return addresses.map((text) => {
    const [address = "", prefix] = text.split("/");
    const bytes = readAddress(address);
    return newAddress(0, { address: bytes, prefix: Number(prefix) }, bytes.length === 16);
  });
}

/** A socket that nobody connects to: while it is there no other program gets the port. */
function reservePort(port: Port): Act {
  const address = port.hostAddress === undefined ? new Uint8Array(4) : readAddress(port.hostAddress);
  const bytes = socketAddress(address, port.hostPort);
  const block = { size: bytes.length, fields: [{ at: 0, bytes }] };
  return {
    what: `reserve port ${formatHostPort(port)} of the host`,
    why: "it leads to the container, and no program of the host is to be given it meanwhile",
    shell: [],
    steps: [
      step("socket", [
        familyOf(address),
        flags(port.protocol === "tcp" ? "SOCK_STREAM" : "SOCK_DGRAM", "SOCK_CLOEXEC"),
        0,
      ]),
      step("bind", [previous(), { block }, bytes.length]),
    ],
  };
}

/** `127.0.0.1:8080/tcp`. */
export function formatHostPort({ hostAddress, hostPort, protocol }: Port): string {
  const host = hostAddress === undefined ? "" : hostAddress.includes(":") ? `[${hostAddress}]:` : `${hostAddress}:`;
  return `${host}${hostPort}/${protocol}`;
}

function publishPorts(network: NetworkSetting): Act[] {
  const all = elements(network);
  if (all.length === 0) return [];
  return [{
    what: `publish ${
      network.attachment.ports.map((port) => `${formatHostPort(port)} as ${port.containerPort}`).join(", ")
    }`,
    why: "what comes to these ports of the host goes on to the container",
    shell: all.map(({ shell }) => `nft add element ${shell.whole}`),
    steps: [
      ...openSocket("publish.socket", NETLINK.NETFILTER),
      ...all.flatMap(({ table, map, element }, at) => [
        sendConstant(
          result("publish.socket"),
          batch([newElements(table, map, [element], { exclusive: true, acknowledge: true })]),
        ),
        ...expectAcknowledgement(result("publish.socket"), "launcher.fault", `published${at}`),
        step("@add", [0, 0], { label: `published${at}` }),
      ]),
      step("close", [result("publish.socket")]),
    ],
  }];
}

/** A published port as an element of a map, and as `nft` would say it. */
interface PublishedElement {
  readonly table: TableName;
  readonly map: NftSet;
  readonly element: Element;
  readonly shell: { readonly key: string; readonly whole: string };
}

/** Each published port with the map that it is an element of, and as `nft` would say it. */
function elements({ attachment, table: name }: NetworkSetting): PublishedElement[] {
  return attachment.addresses.flatMap((text) => {
    const address = text.split("/")[0] ?? "";
    const family = address.includes(":") ? "ip6" as const : "ip" as const;
    return attachment.ports.flatMap((port) => {
      const found = portElement(family, port, readAddress(address));
      if (found === undefined) return [];
      const host = port.hostAddress === undefined ? "" : `${port.hostAddress} . `;
      const key = `${host}${port.protocol} . ${port.hostPort}`;
      const map = `${family} ${name} ${found.map.name}`;
      const shell = {
        key: `${map} '{ ${key} }'`,
        whole: `${map} '{ ${key} : ${address} . ${port.containerPort} }'`,
      };
      return [{ ...found, table: { family, name }, shell }];
    });
  });
}
