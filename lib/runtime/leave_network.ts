/**
 * What a container had of a network is given back.
 *
 * @module
 */
import { unpublish } from "../network/host.ts";
import { tableName } from "../network/table.ts";
import type { Attachment } from "../spec/network.ts";
import { replaceNames } from "../spec/network_files.ts";
import { listMembers, readNetwork, releaseLeases, rewriteHosts, withNetworks } from "../state/networks.ts";
import { DEFAULT_NETWORK } from "./define_network.ts";

/**
 * Takes its published ports away and gives its addresses back; what is gone already stays so.
 *
 * @param stateDir the state directory that the addresses were leased to.
 * @throws PaddockError where the kernel refuses.
 */
export function leaveNetwork(dataRoot: string, stateDir: string, attachment: Attachment): void {
  unpublish(tableName(dataRoot), attachment);
  const addresses = attachment.addresses.map((address) => address.split("/")[0]!);
  releaseLeases(dataRoot, attachment.network, addresses, stateDir);
  if (readNetwork(dataRoot, attachment.network) === undefined || attachment.network === DEFAULT_NETWORK) return;
  withNetworks(dataRoot, () => tellNames(dataRoot, attachment.network));
}

/** Every member of a network learns the names of all. To be called with the lock. */
export function tellNames(dataRoot: string, network: string): void {
  const members = listMembers(dataRoot, network);
  rewriteHosts(dataRoot, network, members, (text) => replaceNames(text, members));
}
