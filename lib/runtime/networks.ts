/**
 * `paddock network`: networks are made, shown and removed.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";
import { NetlinkError } from "../kernel/netlink.ts";
import { syscall } from "../kernel/syscall.ts";
import { orderTables, removeBridge, seeHostNetwork } from "../network/host.ts";
import { tableName } from "../network/table.ts";
import type { NetworkDefinition, Port } from "../spec/network.ts";
import { listLeases, listNetworks, readNetwork, removeNetwork, withNetworks, writeNetwork } from "../state/networks.ts";
import type { Roots } from "../state/root.ts";
import { DEFAULT_NETWORK, defineNetwork, type NewNetwork } from "./define_network.ts";
import { listAttachments } from "./join_network.ts";

/** A network with who is on it. */
export interface SeenNetwork extends NetworkDefinition {
  readonly containers: readonly SeenMember[];
}

/** A container on a network. */
export interface SeenMember {
  readonly id: string;
  readonly addresses: readonly string[];
  readonly macAddress?: string;
  readonly ports: readonly Port[];
}

/**
 * Makes a network. Its bridge is made when its first container comes.
 *
 * @throws PaddockError where its name or its addresses are taken.
 */
export function createNetwork(wanted: NewNetwork, { dataRoot }: Roots): NetworkDefinition {
  needRoot();
  return withNetworks(dataRoot, () => {
    const network = defineNetwork(wanted, listNetworks(dataRoot), seeHostNetwork());
    writeNetwork(dataRoot, network);
    return network;
  });
}

/** All networks, by name. */
export function seeNetworks({ dataRoot }: Roots): SeenNetwork[] {
  const members = listAttachments(dataRoot);
  return listNetworks(dataRoot).map((network) => ({
    ...network,
    containers: ownersOf(dataRoot, network.name).map((owner): SeenMember => {
      const attachment = members.find((one) => one.owner === owner)?.attachment;
      const leased = listLeases(dataRoot, network.name).filter((lease) => lease.owner === owner);
      return {
        id: owner.slice(owner.lastIndexOf("/") + 1),
        addresses: attachment?.addresses ?? leased.map(({ address }) => address),
        ...(attachment === undefined ? {} : { macAddress: attachment.macAddress }),
        ports: attachment?.ports ?? [],
      };
    }),
  }));
}

/** @throws PaddockError where there is none of that name. */
export function seeNetwork(roots: Roots, name: string): SeenNetwork {
  return seeNetworks(roots).find((network) => network.name === name) ?? missing(name);
}

/**
 * Removes a network that no container is on: its bridge, and what the tables have of it.
 *
 * @throws PaddockError where there is none, or it is in use.
 */
export function removeNetworkOf({ dataRoot }: Roots, name: string): void {
  needRoot();
  withNetworks(dataRoot, () => {
    const network = readNetwork(dataRoot, name) ?? missing(name);
    const owners = ownersOf(dataRoot, name).map((owner) => owner.slice(owner.lastIndexOf("/") + 1));
    if (owners.length > 0) {
      throw new PaddockError(`the network '${name}' has containers: ${owners.join(", ")}`, {
        hint: `end them first: paddock rm -f ${owners[0]}`,
      });
    }
    takeDown(dataRoot, network);
  });
}

/** Removes all networks that no container is on, but the default one; gives their names. */
export function pruneNetworks({ dataRoot }: Roots): string[] {
  needRoot();
  return withNetworks(dataRoot, () => {
    const unused = listNetworks(dataRoot).filter(({ name }) =>
      name !== DEFAULT_NETWORK && ownersOf(dataRoot, name).length === 0
    );
    for (const network of unused) takeDown(dataRoot, network);
    return unused.map(({ name }) => name);
  });
}

/** The definition goes last: what is left when something fails is found by it. */
function takeDown(dataRoot: string, network: NetworkDefinition): void {
  removeBridge(network.bridge);
  const others = listNetworks(dataRoot).filter(({ name }) => name !== network.name);
  try {
    orderTables(tableName(dataRoot), others, () => listAttachments(dataRoot).map(({ attachment }) => attachment));
  } catch (error) {
    // A kernel without nf_tables has nothing to be removed.
    if (!(error instanceof NetlinkError) || others.length > 0) throw error;
  }
  removeNetwork(dataRoot, network.name);
}

/** The state directories that addresses of a network are leased to. */
function ownersOf(dataRoot: string, name: string): string[] {
  return [...new Set(listLeases(dataRoot, name).map(({ owner }) => owner))].sort();
}

function missing(name: string): never {
  throw new PaddockError(`no network '${name}'`, { hint: "paddock network ls shows those that there are" });
}

function needRoot(): void {
  if (syscall("geteuid") === 0) return;
  throw new PaddockError("only root may change networks here", { hint: "call it with sudo" });
}
