/**
 * A container's place in a network: an address, ports of the host, and what of the network has to be on the host.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import {
  addressAt,
  formatAddress,
  formatMac,
  isInSubnet,
  macOf,
  nextAddress,
  offsetIn,
  parseMac,
  parseSubnet,
  readAddress,
  type Subnet,
} from "../network/addresses.ts";
import {
  hostEndOf,
  type HostNetwork,
  orderTables,
  raiseBridge,
  routeLoopback,
  seeHostNetwork,
} from "../network/host.ts";
import { choosePort } from "../network/host_ports.ts";
import { tableName } from "../network/table.ts";
import { NetlinkError } from "../kernel/netlink.ts";
import { planNetwork } from "../plan/network.ts";
import type { NetworkActs } from "../plan/setting.ts";
import type { Attachment, NetworkDefinition, NetworkWishes, Port, PortOption } from "../spec/network.ts";
import { readRecord } from "../state/container.ts";
import {
  addMember,
  type Lease,
  leasePath,
  listLeases,
  listNetworks,
  memberFiles,
  readLast,
  readNetwork,
  takeLeases,
  withNetworks,
  writeNetwork,
} from "../state/networks.ts";
import { DEFAULT_NETWORK, defineNetwork } from "./define_network.ts";
import { tellNames } from "./leave_network.ts";

/** What is known of a container that joins a network. */
export interface Joining {
  readonly dataRoot: string;
  /** The state directory that its addresses are leased to. */
  readonly stateDir: string;
  readonly wishes: NetworkWishes;
  /** What others on a network of users know it by. */
  readonly names: readonly string[];
  /** Its `/etc/hosts`, but for the names of others. */
  readonly hosts: (addresses: readonly string[]) => string;
  /** Whose that file is: the host's id of its root. */
  readonly user: number;
  /** `80/tcp`: what the image says it listens at. */
  readonly exposed: readonly string[];
  /** Called with what is changed on the host, for its user to know. */
  readonly note: (text: string) => void;
  /** Nothing is made or taken, only shown. */
  readonly look: boolean;
}

/** A container that has joined. */
export interface Joined {
  readonly attachment: Attachment;
  readonly acts: NetworkActs;
  /** A file of the host that is to be its `/etc/hosts`; absent where names are not kept. */
  readonly hostsFile?: string;
}

/**
 * Takes an address of a network for a container, and makes sure that the network is there.
 *
 * @throws PaddockError where there is no such network, or it cannot give what is wished, or this host has no bridges or
 * no nf_tables.
 */
export function joinNetwork(name: string, joining: Joining): Joined {
  try {
    return joining.look ? look(name, joining) : withNetworks(joining.dataRoot, () => join(name, joining));
  } catch (cause) {
    if (!(cause instanceof NetlinkError)) throw cause;
    throw new PaddockError(cause.message, {
      hint: "bridge networks need root, and a kernel with bridges, veth and nf_tables: " +
        "without them use --network none or --network host",
      cause,
    });
  }
}

function join(name: string, joining: Joining): Joined {
  const { dataRoot, stateDir, wishes, note } = joining;
  const host = seeHostNetwork();
  const network = findNetwork(name, joining, host);
  if (readNetwork(dataRoot, name) === undefined) writeNetwork(dataRoot, network);
  const { index, mtu } = raiseBridge(network, host, note);
  const leases = listLeases(dataRoot, name).filter(({ owner }) => owner !== stateDir);
  const addresses = chooseAddresses(network, joining, { leases, host });
  const ports = choosePorts(network, joining);
  takeLeases(dataRoot, name, addresses.map(formatAddress), stateDir);
  if (name !== DEFAULT_NETWORK) nameMember(name, addresses.map(formatAddress), joining);
  if (ports.length > 0) routeLoopback(network.bridge);
  const table = tableName(dataRoot);
  orderTables(table, listNetworks(dataRoot), () => listPublished(dataRoot));
  const members = name === DEFAULT_NETWORK ? undefined : memberFiles(dataRoot, name, stateDir);
  return finish(network, { addresses, ports, mtu, wishes, bridgeIndex: index, table, dataRoot, members });
}

/** As in docker, on all networks but the default one: each knows the others by name. */
function nameMember(network: string, addresses: readonly string[], joining: Joining): void {
  const { dataRoot, stateDir, names, hosts, user } = joining;
  addMember(dataRoot, network, { owner: stateDir, addresses, names }, hosts(addresses), user);
  tellNames(dataRoot, network);
}

/** The same without a change. */
function look(name: string, joining: Joining): Joined {
  const { dataRoot, wishes } = joining;
  const host = seeHostNetwork();
  const network = findNetwork(name, joining, host);
  const addresses = chooseAddresses(network, joining, { leases: listLeases(dataRoot, name), host });
  return finish(network, {
    addresses,
    ports: choosePorts(network, joining),
    mtu: network.mtu ?? host.mtu,
    wishes,
    bridgeIndex: host.links.find((link) => link.name === network.bridge)?.index ?? 0,
    table: tableName(dataRoot),
    dataRoot,
  });
}

function findNetwork(name: string, { dataRoot }: Joining, host: HostNetwork): NetworkDefinition {
  const found = readNetwork(dataRoot, name);
  if (found !== undefined) return found;
  if (name === DEFAULT_NETWORK) return defineNetwork({ name }, listNetworks(dataRoot), host);
  throw new PaddockError(`no network '${name}'`, {
    hint: `paddock network ls shows those that there are; make it: paddock network create ${name}`,
  });
}

interface Chosen {
  readonly addresses: readonly Uint8Array[];
  readonly ports: readonly Port[];
  readonly mtu: number;
  readonly wishes: NetworkWishes;
  readonly bridgeIndex: number;
  readonly table: string;
  readonly dataRoot: string;
  readonly members?: { readonly about: string; readonly hosts: string } | undefined;
}

function finish(network: NetworkDefinition, chosen: Chosen): Joined {
  const { addresses, ports, mtu, wishes, bridgeIndex, table, dataRoot } = chosen;
  const [first] = addresses;
  const prefixes = network.subnets.map(({ subnet }) => parseSubnet(subnet).prefix);
  const attachment: Attachment = {
    network: network.name,
    bridge: network.bridge,
    hostEnd: hostEndOf(first!),
    macAddress: formatMac(wishes.macAddress === undefined ? macOf(first!) : parseMac(wishes.macAddress)),
    mtu,
    addresses: addresses.map((address, at) => `${formatAddress(address)}/${prefixes[at]}`),
    // An internal network has no way out.
    gateways: network.internal ? [] : network.subnets.map(({ gateway }) => gateway),
    ports,
    aliases: wishes.aliases,
  };
  const files = chosen.members === undefined ? [] : [chosen.members.about, chosen.members.hosts];
  const leases = [
    ...addresses.map((address) => leasePath(dataRoot, network.name, formatAddress(address))),
    ...files,
  ];
  return {
    attachment,
    acts: planNetwork({ attachment, bridgeIndex, table, leases }),
    ...(chosen.members === undefined ? {} : { hostsFile: chosen.members.hosts }),
  };
}

interface Taken {
  readonly leases: readonly Lease[];
  readonly host: HostNetwork;
}

/** One address of each subnet: as wished, else the next; of IPv6 the one that is as far from its subnet's beginning. */
function chooseAddresses(network: NetworkDefinition, { dataRoot, wishes, look }: Joining, taken: Taken): Uint8Array[] {
  const ends = new Set(taken.host.links.map(({ name }) => name));
  const leased = new Set(taken.leases.map(({ address }) => address));
  const isTaken = (address: Uint8Array) =>
    leased.has(formatAddress(address)) || network.subnets.some(({ gateway }) => gateway === formatAddress(address)) ||
    (address.length === 4 && ends.has(hostEndOf(address)));
  const last = look ? undefined : readLast(dataRoot, network.name);
  const chosen: Uint8Array[] = [];
  for (const { subnet: text, gateway } of network.subnets) {
    const subnet = parseSubnet(text);
    const wish = subnet.address.length === 4 ? wishes.ip : wishes.ip6;
    if (wish !== undefined) chosen.push(takeWish(network, subnet, gateway, wish, isTaken));
    else chosen.push(takeNext(network, subnet, chosen[0], last, isTaken));
  }
  refuseWish(network, "--ip", wishes.ip, 4);
  refuseWish(network, "--ip6", wishes.ip6, 16);
  return chosen;
}

function refuseWish(network: NetworkDefinition, flag: string, wish: string | undefined, size: number): void {
  if (wish === undefined || network.subnets.some(({ subnet }) => parseSubnet(subnet).address.length === size)) return;
  throw new PaddockError(`${flag} ${wish}: the network '${network.name}' has no such addresses`, {
    hint: size === 16 ? "make one that has: paddock network create --ipv6 NAME" : "choose another network",
  });
}

function takeWish(
  network: NetworkDefinition,
  subnet: Subnet,
  gateway: string,
  wish: string,
  isTaken: (address: Uint8Array) => boolean,
): Uint8Array {
  const address = readAddress(wish);
  const about = `the address ${wish} of the network '${network.name}'`;
  if (!isInSubnet(address, subnet) || offsetIn(subnet, address) === 0) {
    throw new PaddockError(`${about} is not one of its subnet's`, {
      hint: `choose one in ${network.subnets.map((one) => one.subnet).join(" or ")}`,
    });
  }
  if (isTaken(address)) {
    throw new PaddockError(`${about} is taken${formatAddress(address) === gateway ? " by the host itself" : ""}`, {
      hint: `paddock network inspect ${network.name} shows who has it`,
    });
  }
  return address;
}

function takeNext(
  network: NetworkDefinition,
  subnet: Subnet,
  first: Uint8Array | undefined,
  last: string | undefined,
  isTaken: (address: Uint8Array) => boolean,
): Uint8Array {
  if (first !== undefined) {
    const same = addressAt(subnet, offsetIn(parseSubnet(network.subnets[0]!.subnet), first));
    if (!isTaken(same)) return same;
  }
  const before = last === undefined ? undefined : readAddress(last);
  const from = before === undefined || !isInSubnet(before, subnet) ? 0 : offsetIn(subnet, before);
  const found = nextAddress(subnet, from, isTaken);
  if (found !== undefined) return found;
  throw new PaddockError(`the network '${network.name}' has no free address left`, {
    hint: "make one with a larger subnet: paddock network create --subnet",
  });
}

function choosePorts(network: NetworkDefinition, { wishes, exposed, look }: Joining): Port[] {
  const options = [...wishes.ports, ...(wishes.publishAll ? exposed.flatMap(readExposed) : [])];
  if (options.length > 0 && network.internal) {
    throw new PaddockError(`the network '${network.name}' is internal: no port can be published from it`, {
      hint: "leave -p and -P away, or choose another network",
    });
  }
  const chosen: Port[] = [];
  for (const option of options) {
    const hostPort = look ? option.hostPorts?.[0] ?? EXAMPLE_PORT : choosePort(option, chosen);
    const { protocol, hostAddress, containerPort } = option;
    chosen.push({ protocol, ...(hostAddress === undefined ? {} : { hostAddress }), hostPort, containerPort });
  }
  return chosen;
}

/** Shown for one that the host chooses. */
const EXAMPLE_PORT = 49152;

/** `80/tcp`, `53/udp`, `8000-8010`: what an image says is not trusted, and passed over where it makes no sense. */
function readExposed(text: string): PortOption[] {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp))?$/.exec(text);
  if (match === null) return [];
  const [first, last] = [Number(match[1]), Number(match[2] ?? match[1])];
  if (first < 1 || last > 65535 || last < first) return [];
  const protocol = match[3] === "udp" ? "udp" : "tcp";
  return Array.from({ length: last - first + 1 }, (_, at) => ({ protocol, containerPort: first + at }));
}

/** What containers have that hold a lease. */
export function listAttachments(dataRoot: string): { readonly owner: string; readonly attachment: Attachment }[] {
  const owners = listNetworks(dataRoot).flatMap(({ name }) => listLeases(dataRoot, name).map(({ owner }) => owner));
  return [...new Set(owners)].flatMap((owner) => {
    const attachment = readRecord(owner)?.network;
    return attachment === undefined ? [] : [{ owner, attachment }];
  });
}

function listPublished(dataRoot: string): Attachment[] {
  return listAttachments(dataRoot).map(({ attachment }) => attachment);
}
