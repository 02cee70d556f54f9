/**
 * paddock's own tables of nf_tables, one of IPv4 and one of IPv6: what is translated for its networks. No other table
 * is ever touched.
 *
 * ```
 *   guard        from a bridge nothing comes to the host's loopback
 *   publish      to one of the host's addresses and a published port: goes to the container (prerouting, output)
 *   forward      between networks only what is published; out of an internal one nothing
 *   postrouting  what leaves a network has the host's address, and so has what comes to a container from its own network
 *                or the host's loopback by a published port: the answer must come back the same way
 * ```
 *
 * Rules are for networks, and replaced all at once; published ports are elements of maps, which come and go with their
 * containers.
 *
 * @module
 */
import type { NetworkDefinition, Port } from "../spec/network.ts";
import { parseSubnet, readAddress, type Subnet } from "./addresses.ts";
import { be16, concatenate, text } from "./message.ts";
import * as nft from "./nft_expressions.ts";
import {
  type Chain,
  type Change,
  type Element,
  flushChain,
  flushSet,
  newChain,
  newElements,
  newRule,
  newSet,
  newTable,
  type NftSet,
  type Rule,
  type TableName,
  TYPES,
} from "./nftables.ts";

/** Families that have a table each. */
export const FAMILIES = ["ip", "ip6"] as const;
type Family = typeof FAMILIES[number];

/** The name of a data root's tables: others on the same host have their own. */
export function tableName(dataRoot: string): string {
  if (dataRoot === "/var/lib/paddock") return "paddock";
  // FNV-1a: told apart, not kept secret.
  let hash = 0x811c9dc5;
  for (const byte of text(dataRoot)) hash = Math.imul(hash ^ byte, 0x01000193);
  return `paddock_${(hash >>> 0).toString(16).padStart(8, "0")}`;
}

/** Ports that are published on all addresses of the host. */
export function portsMap(family: Family): NftSet {
  const address = addressType(family);
  return { name: "ports", id: 1, key: [TYPES.protocol, TYPES.port], value: [address, TYPES.port] };
}

/** Ports that are published on one address of the host. */
export function boundMap(family: Family): NftSet {
  const address = addressType(family);
  return { name: "bound", id: 2, key: [address, TYPES.protocol, TYPES.port], value: [address, TYPES.port] };
}

const BRIDGES: NftSet = { name: "bridges", id: 3, key: [TYPES.interfaceName] };

function addressType(family: Family): typeof TYPES.address4 | typeof TYPES.address6 {
  return family === "ip" ? TYPES.address4 : TYPES.address6;
}

/**
 * The table as it is to be with these networks: made where it is not there, its rules put in place of others, its
 * published ports left as they are.
 *
 * @param name that of both tables.
 */
export function tableChanges(family: Family, name: string, networks: readonly NetworkDefinition[]): Change[] {
  const table: TableName = { family, name };
  const chains = chainsOf(family, networks);
  return [
    newTable(table),
    ...chains.map((chain) => newChain(table, chain)),
    ...[portsMap(family), boundMap(family), BRIDGES].map((set) => newSet(table, set)),
    ...chains.map((chain) => flushChain(table, chain.name)),
    flushSet(table, BRIDGES),
    ...(networks.length === 0
      ? []
      : [newElements(table, BRIDGES, networks.map(({ bridge }) => bridgeElement(bridge)))]),
    ...chains.flatMap((chain) => chain.rules.map((rule) => newRule(table, chain.name, rule))),
  ];
}

/** The element of a published port, and the map that it belongs in; `undefined` where the family is not its own. */
export function portElement(
  family: Family,
  port: Port,
  container: Uint8Array,
): { readonly map: NftSet; readonly element: Element } | undefined {
  const size = family === "ip" ? 4 : 16;
  const host = port.hostAddress === undefined ? undefined : readAddress(port.hostAddress);
  if (container.length !== size || (host !== undefined && host.length !== size)) return undefined;
  const service = [Uint8Array.of(PROTOCOLS[port.protocol]), be16(port.hostPort)];
  const value = [container, be16(port.containerPort)];
  return host === undefined
    ? { map: portsMap(family), element: { key: service, value } }
    : { map: boundMap(family), element: { key: [host, ...service], value } };
}

/** `IPPROTO_`. */
const PROTOCOLS = { tcp: 6, udp: 17 } as const;

function bridgeElement(bridge: string): Element {
  return { key: [concatenate([text(bridge), new Uint8Array(16 - bridge.length)])] };
}

function chainsOf(family: Family, networks: readonly NetworkDefinition[]): Chain[] {
  const own = networks.map((network) => ({ ...network, subnet: subnetOf(family, network) }));
  const served = own.flatMap(({ subnet, ...network }) => subnet === undefined ? [] : [{ ...network, subnet }]);
  const jump = [[nft.decide({ jump: "publish" })]];
  return [
    // Before connection tracking, at -200, knows the packet.
    { name: "guard", hook: { type: "filter", at: "prerouting", priority: -300 }, rules: guardRules(family, networks) },
    { name: "publish", rules: publishRules(family) },
    { name: "prerouting", hook: { type: "nat", at: "prerouting", priority: -100 }, rules: jump },
    { name: "output", hook: { type: "nat", at: "output", priority: -100 }, rules: jump },
    {
      name: "forward",
      hook: { type: "filter", at: "forward", priority: 0 },
      rules: [[...nft.isTranslated(), nft.decide("accept")], ...networks.flatMap(forwardRules)],
    },
    {
      name: "postrouting",
      hook: { type: "nat", at: "postrouting", priority: 100 },
      rules: served.flatMap((network) => postroutingRules(family, network)),
    },
  ];
}

function subnetOf(family: Family, { subnets }: NetworkDefinition): Subnet | undefined {
  const size = family === "ip" ? 4 : 16;
  return subnets.map(({ subnet }) => parseSubnet(subnet)).find(({ address }) => address.length === size);
}

const LOOPBACK: Subnet = { address: Uint8Array.of(127, 0, 0, 0), prefix: 8 };

/** The bridge lets packets from the host's loopback through (`route_localnet`), and so would it the other way round. */
function guardRules(family: Family, networks: readonly NetworkDefinition[]): Rule[] {
  if (family === "ip6") return [];
  return networks.map(({ bridge }) => [
    ...nft.isInterface("iifname", bridge),
    ...nft.isAddress("daddr", LOOPBACK),
    nft.decide("drop"),
  ]);
}

function publishRules(family: Family): Rule[] {
  const size = family === "ip" ? 4 : 16;
  return [
    [...nft.isLocal(true), nft.decide("return")],
    [
      nft.loadDestination(size),
      ...nft.loadService(nft.FIRST_PART + size / 4),
      nft.lookUp(boundMap(family)),
      nft.translateTo(size),
    ],
    [...nft.loadService(nft.FIRST_PART), nft.lookUp(portsMap(family)), nft.translateTo(size)],
  ];
}

function forwardRules({ bridge, internal }: NetworkDefinition): Rule[] {
  const from = nft.isInterface("iifname", bridge);
  const elsewhere = nft.isInterface("oifname", bridge, true);
  if (!internal) return [[...from, ...elsewhere, nft.isIn(BRIDGES), nft.decide("drop")]];
  return [
    [...from, ...elsewhere, nft.decide("drop")],
    [...nft.isInterface("iifname", bridge, true), ...nft.isInterface("oifname", bridge), nft.decide("drop")],
  ];
}

function postroutingRules(
  family: Family,
  { bridge, internal, subnet }: NetworkDefinition & { readonly subnet: Subnet },
): Rule[] {
  const within: Rule = [
    ...nft.isTranslated(),
    ...nft.isAddress("saddr", subnet),
    ...nft.isAddress("daddr", subnet),
    nft.masquerade(),
  ];
  const fromLoopback: Rule = [
    ...nft.isAddress("saddr", LOOPBACK),
    ...nft.isInterface("oifname", bridge),
    nft.masquerade(),
  ];
  const out: Rule = [
    ...nft.isAddress("saddr", subnet),
    ...nft.isInterface("oifname", bridge, true),
    nft.masquerade(),
  ];
  return [within, ...(family === "ip" ? [fromLoopback] : []), ...(internal ? [] : [out])];
}
