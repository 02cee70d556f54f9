/**
 * A new network: its bridge's name and its subnets, where nothing on the host is in the way.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { checkName } from "../base/names.ts";
import {
  addressAt,
  formatAddress,
  formatSubnet,
  isInSubnet,
  offsetIn,
  overlaps,
  parseSubnet,
  readAddress,
  type Subnet,
} from "../network/addresses.ts";
import type { HostNetwork } from "../network/host.ts";
import type { NetworkDefinition, NetworkSubnet } from "../spec/network.ts";

/** The network that is made when it is first used. */
export const DEFAULT_NETWORK = "bridge";

/** What a user says of a new network. */
export interface NewNetwork {
  readonly name: string;
  /** As in `NetworkSubnet`; absent of IPv4: one is found. */
  readonly subnets?: readonly string[];
  readonly gateways?: readonly string[];
  readonly ipv6?: boolean;
  readonly internal?: boolean;
  readonly mtu?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** Names that mean something else as a network. */
const RESERVED = ["none", "host", "default", "private", "container", "ns"];

/**
 * The definition of a new network.
 *
 * @param others the networks that there are.
 * @throws PaddockError where the name or an address is taken, or nothing is free.
 */
export function defineNetwork(
  wanted: NewNetwork,
  others: readonly NetworkDefinition[],
  host: Pick<HostNetwork, "links" | "taken">,
): NetworkDefinition {
  const { name, gateways = [], ipv6 = false, internal = false, mtu, labels = {} } = wanted;
  if (RESERVED.includes(name)) throw new PaddockError(`a network cannot be called '${name}': the word has a meaning`);
  checkName(name);
  if (others.some((other) => other.name === name)) {
    throw new PaddockError(`there is a network '${name}' already`, {
      hint: `remove it first: paddock network rm ${name}`,
    });
  }
  const taken = [...host.taken, ...others.flatMap(({ subnets }) => subnets.map(({ subnet }) => parseSubnet(subnet)))];
  const subnets = chooseSubnets(wanted, ipv6, taken);
  return {
    name,
    bridge: chooseBridge(others, host),
    subnets: withGateways(subnets, gateways),
    ...(mtu === undefined ? {} : { mtu }),
    internal,
    labels,
    created: new Date().toISOString(),
  };
}

/** One of IPv4, found where none is given, and with `ipv6` one of IPv6. */
function chooseSubnets({ name, subnets = [] }: NewNetwork, ipv6: boolean, taken: readonly Subnet[]): Subnet[] {
  const given = subnets.map(parseSubnet);
  const [four, six] = [4, 16].map((size) => given.filter(({ address }) => address.length === size)) as [
    Subnet[],
    Subnet[],
  ];
  for (const [family, of] of [["IPv4", four], ["IPv6", six]] as const) {
    if (of.length > 1) {
      throw new PaddockError(`a network has one subnet of ${family}: ${of.map(formatSubnet).join(", ")}`);
    }
  }
  for (const subnet of given) {
    const other = taken.find((one) => overlaps(one, subnet));
    if (other !== undefined) {
      throw new PaddockError(`the subnet ${formatSubnet(subnet)} overlaps ${formatSubnet(other)}, which the host has`, {
        hint: "see ip route, and paddock network ls",
      });
    }
    const bits = 8 * subnet.address.length - subnet.prefix;
    if (bits < 2) throw new PaddockError(`the subnet ${formatSubnet(subnet)} has no room for a container`);
  }
  const own = four[0] ?? findSubnet(name, taken);
  const far = six[0] ?? (ipv6 ? makeLocalSubnet() : undefined);
  return far === undefined ? [own] : [own, far];
}

/** The default network has room for many; others get the next free one. */
function findSubnet(name: string, taken: readonly Subnet[]): Subnet {
  const candidates = name === DEFAULT_NETWORK ? [...DEFAULTS, ...POOL] : POOL;
  const found = candidates.find((candidate) => !taken.some((one) => overlaps(one, candidate)));
  if (found !== undefined) return found;
  throw new PaddockError("no subnet is free on this host", { hint: "give one: paddock network create --subnet" });
}

/** Where neither docker, podman, libvirt nor Kubernetes look by default. */
const DEFAULTS: readonly Subnet[] = [parseSubnet("10.83.0.0/16")];
const POOL: readonly Subnet[] = Array.from({ length: 1024 }, (_, index) => ({
  address: addressAt(parseSubnet("10.84.0.0/14"), 256 * index),
  prefix: 24,
}));

/** A subnet of addresses that nobody else has, by chance (RFC 4193, section 3.2). */
function makeLocalSubnet(): Subnet {
  const address = new Uint8Array(16);
  address.set(crypto.getRandomValues(new Uint8Array(5)), 1);
  address[0] = 0xfd;
  return { address, prefix: 64 };
}

/** The first address of a subnet is the host's, unless another is given. */
function withGateways(subnets: readonly Subnet[], given: readonly string[]): NetworkSubnet[] {
  const left = given.map(readAddress);
  const all = subnets.map((subnet) => {
    const at = left.findIndex((address) => isInSubnet(address, subnet) && offsetIn(subnet, address) > 0);
    const gateway = at < 0 ? addressAt(subnet, 1) : left.splice(at, 1)[0]!;
    return { subnet: formatSubnet(subnet), gateway: formatAddress(gateway) };
  });
  if (left.length > 0) {
    throw new PaddockError(`the gateway ${formatAddress(left[0]!)} is in no subnet of the network`, {
      hint: `it has ${subnets.map(formatSubnet).join(" and ")}`,
    });
  }
  return all;
}

function chooseBridge(others: readonly NetworkDefinition[], { links }: Pick<HostNetwork, "links">): string {
  for (let number = 0;; number++) {
    const name = `paddock${number}`;
    if (!links.some((link) => link.name === name) && !others.some(({ bridge }) => bridge === name)) return name;
  }
}
