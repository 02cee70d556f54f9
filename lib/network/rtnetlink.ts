/**
 * Links, addresses and routes as messages to the kernel, and what it tells of them (`man 7 rtnetlink`, linux/if_link.h,
 * linux/if_addr.h, linux/rtnetlink.h). The bytes are those that `ip` of iproute2 sends for the same; a test compares.
 *
 * @module
 */
import {
  attribute,
  concatenate,
  cText,
  message,
  NLM_F,
  placeOfAttribute,
  readAttributes,
  readText,
  readU32,
  text,
  u16,
  u32,
} from "./message.ts";

/** Message types. */
export const RTM = {
  NEWLINK: 16,
  DELLINK: 17,
  GETLINK: 18,
  NEWADDR: 20,
  GETADDR: 22,
  NEWROUTE: 24,
  GETROUTE: 26,
} as const;

/** Address families. */
export const AF = { INET: 2, INET6: 10 } as const;

/** Attributes of a link. */
export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  MASTER: 10,
  LINKINFO: 18,
  NET_NS_PID: 19,
  NET_NS_FD: 28,
} as const;

const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_INFO_SLAVE_DATA = 5;
const IFLA_BRPORT_MODE = 4;
const VETH_INFO_PEER = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_F_NODAD = 0x2;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_TABLE = 15;
const IFF_UP = 0x1;
const RT_TABLE_MAIN = 254;
const RTPROT_BOOT = 3;
const RTN_UNICAST = 1;

const MAKE = NLM_F.REQUEST | NLM_F.ACK | NLM_F.CREATE | NLM_F.EXCL;
const CHANGE = NLM_F.REQUEST | NLM_F.ACK;
const LIST = NLM_F.REQUEST | NLM_F.DUMP;

/** Bytes of `struct ifinfomsg`, `ifaddrmsg` and `rtmsg`. */
export const INFO_SIZE = 16;
const ADDRESS_INFO_SIZE = 8;
const ROUTE_INFO_SIZE = 12;
/** The family's struct begins here. */
export const BODY = 16;

/** A network namespace of a process, or of a descriptor; a number of 0 is filled in later. */
export type NamespaceRef = { readonly pid: number } | { readonly fd: number };

/** What may be said of a link when it is made or changed. */
export interface LinkSettings {
  readonly mtu?: number;
  /** Six bytes. */
  readonly address?: Uint8Array;
  /** Index of the bridge that it becomes a port of. */
  readonly master?: number;
  readonly up?: boolean;
  /** Where it is born, or moves to. */
  readonly namespace?: NamespaceRef;
}

/** Makes a bridge. */
export function newBridge(name: string, settings: LinkSettings = {}): Uint8Array {
  const info = attribute(IFLA.LINKINFO, attribute(IFLA_INFO_KIND, text("bridge")));
  return message(
    { type: RTM.NEWLINK, flags: MAKE },
    linkInfo(0, settings),
    linkAttributes({ ...settings, name }),
    info,
  );
}

/** A new link's name, and what it is like. */
export interface NewLink extends LinkSettings {
  readonly name: string;
}

/** Makes two links that are the two ends of one cable. */
export function newVeth(link: NewLink, peer: NewLink): Uint8Array {
  const end = attribute(VETH_INFO_PEER, linkInfo(0, peer), linkAttributes(peer));
  const info = attribute(
    IFLA.LINKINFO,
    attribute(IFLA_INFO_KIND, text("veth")),
    attribute(IFLA_INFO_DATA, end),
  );
  return message({ type: RTM.NEWLINK, flags: MAKE }, linkInfo(0, link), linkAttributes(link), info);
}

/** Where in the message of `newVeth` the peer's namespace stands, as a descriptor of 32 bits. */
export function placeOfPeerNamespace(veth: Uint8Array): number {
  const path = [[IFLA.LINKINFO], [IFLA_INFO_DATA], [VETH_INFO_PEER, INFO_SIZE], [IFLA.NET_NS_FD]] as const;
  return placeOfAttribute(veth, path, BODY + INFO_SIZE);
}

/** Changes a link, by its index. */
export function setLink(index: number, settings: LinkSettings & { readonly name?: string }): Uint8Array {
  return message({ type: RTM.NEWLINK, flags: CHANGE }, linkInfo(index, settings), linkAttributes(settings));
}

/** Lets a port of a bridge, by its index or its name, have back what it sent: from itself to itself. */
export function setHairpin(port: number | string): Uint8Array {
  const info = attribute(
    IFLA.LINKINFO,
    attribute(IFLA_INFO_KIND, text("bridge_slave")),
    attribute(IFLA_INFO_SLAVE_DATA, attribute(IFLA_BRPORT_MODE, Uint8Array.of(1))),
  );
  const [index, name] = typeof port === "number" ? [port, undefined] : [0, port];
  const named = name === undefined ? [] : [attribute(IFLA.IFNAME, cText(name))];
  return message({ type: RTM.NEWLINK, flags: CHANGE }, linkInfo(index, {}), ...named, info);
}

/** Removes a link, by its index or its name. */
export function deleteLink(link: number | string): Uint8Array {
  const flags = CHANGE;
  if (typeof link === "number") return message({ type: RTM.DELLINK, flags }, linkInfo(link, {}));
  return message({ type: RTM.DELLINK, flags }, linkInfo(0, {}), attribute(IFLA.IFNAME, cText(link)));
}

/** An address of four or sixteen bytes, and how many bits of it are the subnet's. */
export interface InterfaceAddress {
  readonly address: Uint8Array;
  readonly prefix: number;
}

/**
 * Gives a link an address.
 *
 * @param noDad an IPv6 address is usable at once: nobody is asked whether they have it.
 */
export function newAddress(index: number, { address, prefix }: InterfaceAddress, noDad = false): Uint8Array {
  const info = concatenate([
    Uint8Array.of(familyOf(address), prefix, noDad ? IFA_F_NODAD : 0, 0),
    u32(index),
  ]);
  return message(
    { type: RTM.NEWADDR, flags: MAKE },
    info,
    attribute(IFA_LOCAL, address),
    attribute(IFA_ADDRESS, address),
  );
}

/** Where in the message of `newAddress` the link's index stands. */
export const ADDRESS_INDEX_AT = BODY + 4;

/** Makes the default route, by a gateway that is reached through one of the links. */
export function newDefaultRoute(gateway: Uint8Array, index?: number): Uint8Array {
  const info = concatenate([
    Uint8Array.of(familyOf(gateway), 0, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, 0, RTN_UNICAST),
    u32(0),
  ]);
  const out = index === undefined ? [] : [attribute(RTA_OIF, u32(index))];
  return message({ type: RTM.NEWROUTE, flags: MAKE }, info, attribute(RTA_GATEWAY, gateway), ...out);
}

/** Asks for a link by its name. */
export function getLink(name: string): Uint8Array {
  return message(
    { type: RTM.GETLINK, flags: NLM_F.REQUEST | NLM_F.ACK },
    linkInfo(0, {}),
    attribute(IFLA.IFNAME, cText(name)),
  );
}

/** Asks for all links, addresses or routes. */
export function listLinks(): Uint8Array {
  return message({ type: RTM.GETLINK, flags: LIST }, linkInfo(0, {}));
}

export function listAddresses(): Uint8Array {
  return message({ type: RTM.GETADDR, flags: LIST }, new Uint8Array(ADDRESS_INFO_SIZE));
}

export function listRoutes(): Uint8Array {
  return message({ type: RTM.GETROUTE, flags: LIST }, new Uint8Array(ROUTE_INFO_SIZE));
}

/** A link as the kernel tells of it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `veth`, …; absent of hardware. */
  readonly kind?: string;
  readonly mtu?: number;
  readonly address?: Uint8Array;
  readonly master?: number;
  readonly up: boolean;
}

/** The links in the answers to `listLinks` and `getLink`: whole messages. */
export function readLinks(messages: readonly Uint8Array[]): Link[] {
  return ofType(messages, RTM.NEWLINK, INFO_SIZE).map((bytes) => {
    const view = viewOf(bytes);
    const found = readAttributes(bytes, BODY + INFO_SIZE);
    const info = found.get(IFLA.LINKINFO);
    const kind = info === undefined ? undefined : readAttributes(info.value).get(IFLA_INFO_KIND);
    return {
      index: view.getInt32(BODY + 4, true),
      name: readText(found.get(IFLA.IFNAME)?.value ?? new Uint8Array()),
      ...optional("kind", kind === undefined ? undefined : readText(kind.value)),
      ...optional("mtu", readU32(found.get(IFLA.MTU)?.value)),
      ...optional("address", found.get(IFLA.ADDRESS)?.value),
      ...optional("master", readU32(found.get(IFLA.MASTER)?.value)),
      up: (view.getUint32(BODY + 8, true) & IFF_UP) !== 0,
    };
  });
}

/** An address of a link. */
export interface LinkAddress extends InterfaceAddress {
  readonly index: number;
}

/** The addresses in the answer to `listAddresses`. */
export function readAddresses(messages: readonly Uint8Array[]): LinkAddress[] {
  return ofType(messages, RTM.NEWADDR, ADDRESS_INFO_SIZE).flatMap((bytes) => {
    const found = readAttributes(bytes, BODY + ADDRESS_INFO_SIZE);
    // Of two ends that face each other the local one is ours.
    const address = (found.get(IFA_LOCAL) ?? found.get(IFA_ADDRESS))?.value;
    const prefix = bytes[BODY + 1] ?? 0;
    return address === undefined ? [] : [{ index: viewOf(bytes).getUint32(BODY + 4, true), address, prefix }];
  });
}

/** A route: where to, and through which link and gateway. Of the default route the prefix is 0. */
export interface Route {
  readonly family: number;
  readonly prefix: number;
  readonly table: number;
  readonly destination?: Uint8Array;
  readonly gateway?: Uint8Array;
  readonly link?: number;
}

/** The routes in the answer to `listRoutes`. */
export function readRoutes(messages: readonly Uint8Array[]): Route[] {
  return ofType(messages, RTM.NEWROUTE, ROUTE_INFO_SIZE).map((bytes) => {
    const found = readAttributes(bytes, BODY + ROUTE_INFO_SIZE);
    return {
      family: bytes[BODY] ?? 0,
      prefix: bytes[BODY + 1] ?? 0,
      table: readU32(found.get(RTA_TABLE)?.value) ?? bytes[BODY + 4] ?? 0,
      ...optional("destination", found.get(RTA_DST)?.value),
      ...optional("gateway", found.get(RTA_GATEWAY)?.value),
      ...optional("link", readU32(found.get(RTA_OIF)?.value)),
    };
  });
}

/** AF_INET or AF_INET6, by the length of an address. */
export function familyOf(address: Uint8Array): number {
  return address.length === 4 ? AF.INET : AF.INET6;
}

/** `struct ifinfomsg`. */
function linkInfo(index: number, { up }: LinkSettings): Uint8Array {
  const change = up === undefined ? 0 : IFF_UP;
  return concatenate([Uint8Array.of(0, 0), u16(0), u32(index), u32(up === true ? IFF_UP : 0), u32(change)]);
}

/** In the order in which `ip` has them where it has one of its own: MTU before what the words came in. */
function linkAttributes(
  { mtu, address, master, namespace, name }: LinkSettings & { readonly name?: string },
): Uint8Array {
  return concatenate([
    ...(mtu === undefined ? [] : [attribute(IFLA.MTU, u32(mtu))]),
    ...(address === undefined ? [] : [attribute(IFLA.ADDRESS, address)]),
    ...(master === undefined ? [] : [attribute(IFLA.MASTER, u32(master))]),
    ...(namespace === undefined ? [] : [namespaceAttribute(namespace)]),
    ...(name === undefined ? [] : [attribute(IFLA.IFNAME, cText(name))]),
  ]);
}

function namespaceAttribute(namespace: NamespaceRef): Uint8Array {
  return "pid" in namespace
    ? attribute(IFLA.NET_NS_PID, u32(namespace.pid))
    : attribute(IFLA.NET_NS_FD, u32(namespace.fd));
}

/** Messages of one type that are at least as long as its struct. */
function ofType(messages: readonly Uint8Array[], type: number, size: number): Uint8Array[] {
  return messages.filter((bytes) => bytes.length >= BODY + size && viewOf(bytes).getUint16(4, true) === type);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : { [key]: value } as { [key in K]: V };
}
