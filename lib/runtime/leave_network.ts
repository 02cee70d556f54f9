/**
 * What a container had of a network is given back.
 *
 * @module
 */
import { unpublish } from "../network/host.ts";
import { tableName } from "../network/table.ts";
import type { Attachment } from "../spec/network.ts";
import { releaseLeases } from "../state/networks.ts";

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
}
