/**
 * What of a network is on the host: a bridge, settings of the kernel, and a table of nf_tables. All of it can be there
 * already, and is looked at each time: other programs change the network too.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { NetlinkSocket } from "../kernel/netlink.ts";
import type { Attachment, NetworkDefinition } from "../spec/network.ts";
import { isSame, macOf, maskAddress, offsetIn, parseSubnet, readAddress, type Subnet } from "./addresses.ts";
import {
  batch,
  deleteElements,
  deleteTable,
  getTable,
  joinKey,
  listElements,
  newElements,
  readElements,
} from "./nftables.ts";
import {
  AF,
  deleteLink,
  getLink,
  type Link,
  listAddresses,
  listLinks,
  listRoutes,
  newAddress,
  newBridge,
  readAddresses,
  readLinks,
  readRoutes,
  setLink,
} from "./rtnetlink.ts";
import { boundMap, FAMILIES, portElement, portsMap, tableChanges } from "./table.ts";

/** What there is on the host, as far as a new network must not be in its way. */
export interface HostNetwork {
  readonly links: readonly Link[];
  /** Where routes lead, and what its own interfaces have. */
  readonly taken: readonly Subnet[];
  /** The MTU of the way out; 1500 where there is none. */
  readonly mtu: number;
}

/** Looks at the host's network. */
export function seeHostNetwork(): HostNetwork {
  using socket = NetlinkSocket.open("route");
  const links = readLinks(socket.send("list the host's interfaces", listLinks()));
  const routes = readRoutes(socket.send("list the host's routes", listRoutes()));
  const addresses = readAddresses(socket.send("list the host's addresses", listAddresses()));
  const out = routes.find(({ family, prefix, table }) => family === AF.INET && prefix === 0 && table === MAIN_TABLE);
  return {
    links,
    taken: [
      ...routes.flatMap(({ destination, prefix }) =>
        destination === undefined || prefix === 0 ? [] : [
          { address: destination, prefix },
        ]
      ),
      ...addresses.map(({ address, prefix }) => ({ address: maskAddress(address, prefix), prefix })),
    ],
    mtu: links.find(({ index }) => index === out?.link)?.mtu ?? 1500,
  };
}

const MAIN_TABLE = 254;

/** What is done to the host that its user should know of. */
export type Note = (text: string) => void;

/** A bridge that is up and has its addresses. */
export interface Raised {
  readonly index: number;
  readonly mtu: number;
}

/**
 * Makes sure that a network's bridge is there, and up, and that the host forwards for it.
 *
 * @throws PaddockError where the kernel has no bridges, or something else has that name.
 */
export function raiseBridge(network: NetworkDefinition, host: Pick<HostNetwork, "mtu">, note: Note): Raised {
  using socket = NetlinkSocket.open("route");
  const mtu = network.mtu ?? host.mtu;
  const link = findLink(socket, network.bridge) ?? makeBridge(socket, network, mtu);
  if (link.kind !== "bridge") {
    throw new PaddockError(`the host has an interface ${network.bridge} that is no bridge`, {
      hint: `rename it, or make the network anew: paddock network rm ${network.name}`,
    });
  }
  giveAddresses(socket, network, link.index);
  if (!link.up) socket.send(`bring ${network.bridge} up`, setLink(link.index, { up: true }));
  if (!network.internal) forward(network, note);
  return { index: link.index, mtu: Math.min(mtu, link.mtu ?? mtu) };
}

function findLink(socket: NetlinkSocket, name: string): Link | undefined {
  const what = `find the interface ${name}`;
  if (!socket.try(what, getLink(name), "ENODEV")) return undefined;
  return readLinks(socket.send(what, getLink(name)))[0];
}

/** Its address stays: without one of its own it has the lowest of its ports', which come and go. */
function makeBridge(socket: NetlinkSocket, { bridge, subnets }: NetworkDefinition, mtu: number): Link {
  const address = macOf(readAddress(subnets[0]!.gateway));
  socket.try(`make the bridge ${bridge}`, newBridge(bridge, { address, mtu }), "EEXIST");
  const link = findLink(socket, bridge);
  if (link === undefined) throw new PaddockError(`the bridge ${bridge} vanished when it was made`);
  return link;
}

function giveAddresses(socket: NetlinkSocket, { bridge, subnets }: NetworkDefinition, index: number): void {
  const present = readAddresses(socket.send(`look at the addresses of ${bridge}`, listAddresses()))
    .filter((one) => one.index === index);
  for (const { subnet, gateway } of subnets) {
    const [address, { prefix }] = [readAddress(gateway), parseSubnet(subnet)];
    if (present.some((one) => isSame(one.address, address) && one.prefix === prefix)) continue;
    socket.try(
      `give ${bridge} the address ${gateway}`,
      newAddress(index, { address, prefix }, address.length === 16),
      "EEXIST",
    );
  }
}

function forward({ subnets }: NetworkDefinition, note: Note): void {
  turnOn("/proc/sys/net/ipv4/ip_forward", note, "the host forwards IPv4 for its containers");
  if (!subnets.some(({ subnet }) => subnet.includes(":"))) return;
  if (readSetting("/proc/sys/net/ipv6/conf/all/forwarding") === "0") keepAdvertisements();
  turnOn("/proc/sys/net/ipv6/conf/all/forwarding", note, "the host forwards IPv6 for its containers");
}

/** A host that forwards no longer listens to routers, unless it is told to all the same (kernel doc ip-sysctl, accept_ra). */
function keepAdvertisements(): void {
  for (const { name } of Deno.readDirSync("/proc/sys/net/ipv6/conf")) {
    const path = `/proc/sys/net/ipv6/conf/${name}/accept_ra`;
    if (readSetting(path) === "1") writeSetting(path, "2");
  }
}

function turnOn(path: string, note: Note, why: string): void {
  if (readSetting(path) !== "0") return;
  note(`${path} is set to 1: ${why}`);
  writeSetting(path, "1");
}

/** Lets packets from the host's loopback out to a bridge, for ports that are published there. */
export function routeLoopback(bridge: string): void {
  const path = `/proc/sys/net/ipv4/conf/${bridge}/route_localnet`;
  if (readSetting(path) === "0") writeSetting(path, "1");
}

function readSetting(path: string): string | undefined {
  try {
    return Deno.readTextFileSync(path).trim();
  } catch {
    return undefined;
  }
}

function writeSetting(path: string, value: string): void {
  try {
    Deno.writeTextFileSync(path, value);
  } catch (cause) {
    throw new PaddockError(`cannot write ${value} to ${path}: ${(cause as Error).message}`, {
      hint: "set it yourself, or use --network none or host",
      cause,
    });
  }
}

/** Takes a bridge away; nothing where it is gone. */
export function removeBridge(bridge: string): void {
  using socket = NetlinkSocket.open("route");
  socket.try(`remove the bridge ${bridge}`, deleteLink(bridge), "ENODEV");
}

/**
 * The names of host ends that are there; an address whose host end is still there is not free, though its container is
 * over: the kernel takes a network namespace apart in its own time.
 */
export function listHostEnds(): Set<string> {
  using socket = NetlinkSocket.open("route");
  return new Set(readLinks(socket.send("list the host's interfaces", listLinks())).map(({ name }) => name));
}

/** The name of the host's end of a cable, by the IPv4 address at its other end. */
export function hostEndOf(address: Uint8Array): string {
  return `pd${offsetIn({ address: new Uint8Array(4), prefix: 0 }, address).toString(16).padStart(8, "0")}`;
}

/** An attachment whose ports are to be published. */
export type Published = Pick<Attachment, "addresses" | "ports">;

/**
 * Puts the tables in order: rules for these networks, and of the maps only ports of containers that live.
 *
 * @param table name of both tables.
 * @param living what their containers publish.
 * @throws NetlinkError where the kernel has no nf_tables, or lacks one of the expressions.
 */
export function orderTables(
  table: string,
  networks: readonly NetworkDefinition[],
  living: () => readonly Published[],
): void {
  using socket = NetlinkSocket.open("netfilter");
  for (const family of FAMILIES) {
    const name = { family, name: table };
    if (!networks.some(({ subnets }) => subnets.some(({ subnet }) => subnet.includes(":") === (family === "ip6")))) {
      const gone = batch([deleteTable(name)]);
      if (socket.try("look for a table", getTable(name), "ENOENT")) {
        socket.send(`remove the table ${family} ${table}`, gone);
      }
      continue;
    }
    socket.send(`make the table ${family} ${table} of nf_tables`, batch(tableChanges(family, table, networks)));
    orderPorts(socket, family, table, living);
  }
}

/**
 * Removes elements that no living container publishes, and puts those back that somebody else has removed. Elements are
 * looked at before containers are: one that begins meanwhile is then seen with both, or without its elements.
 */
function orderPorts(
  socket: NetlinkSocket,
  family: "ip" | "ip6",
  table: string,
  living: () => readonly Published[],
): void {
  const name = { family, name: table };
  const maps = [portsMap(family), boundMap(family)].map((map) => ({
    map,
    found: readElements(socket.send("list published ports", listElements(name, map.name))).map(({ key }) => key),
  }));
  const wanted = living().flatMap((one) => elementsOf(family, one));
  for (const { map, found } of maps) {
    const mine = wanted.filter((one) => one.map.name === map.name).map(({ element }) => element);
    const stale = found.filter((key) => !mine.some((one) => isSame(joinKey(one.key), key)));
    for (const key of stale) {
      socket.try("take a published port away", batch([deleteElements(name, map, [[key]])]), "ENOENT");
    }
    for (const element of mine.filter(({ key }) => !found.some((one) => isSame(joinKey(key), one)))) {
      socket.try("publish a port again", batch([newElements(name, map, [element])]), "EEXIST", "EBUSY");
    }
  }
}

/** The elements of what one container publishes. */
export function elementsOf(
  family: "ip" | "ip6",
  { addresses, ports }: Published,
): NonNullable<ReturnType<typeof portElement>>[] {
  const own = addresses.map((address) => readAddress(address.split("/")[0]!));
  return ports.flatMap((port) => own.flatMap((address) => portElement(family, port, address) ?? []));
}

/** Takes the published ports of a container away; what is not there any more is gone. */
export function unpublish(table: string, attachment: Published): void {
  if (attachment.ports.length === 0) return;
  using socket = NetlinkSocket.open("netfilter");
  for (const family of FAMILIES) {
    for (const { map, element } of elementsOf(family, attachment)) {
      socket.try(
        "take a published port away",
        batch([deleteElements({ family, name: table }, map, [element.key])]),
        "ENOENT",
      );
    }
  }
}
