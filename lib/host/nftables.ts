/**
 * Whether the kernel has nftables: it is asked, because a built-in one shows nowhere.
 *
 * @module
 */
import { O } from "../kernel/fs.ts";
import { syscall } from "../kernel/syscall.ts";

/**
 * Asks for the generation of the rule set (`NFT_MSG_GETGEN`, linux/netfilter/nf_tables.h), which reads one number and
 * changes nothing; the kernel loads the module for it.
 *
 * @returns `undefined` where it cannot be asked.
 */
export function probeNftables(): boolean | undefined {
  const socket = syscall("socket", AF_NETLINK, SOCK_RAW | O.CLOEXEC, NETLINK_NETFILTER);
  if (socket < 0) return undefined;
  try {
    const request = new Uint8Array(20);
    const header = new DataView(request.buffer);
    header.setUint32(0, request.length, true);
    header.setUint16(4, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETGEN, true);
    header.setUint16(6, NLM_F_REQUEST, true);
    if (syscall("sendto", socket, request, request.length, 0, null, 0) < 0) return undefined;
    const answer = new Uint8Array(256);
    // The kernel answers within the request: there is nothing to wait for.
    if (syscall("recvfrom", socket, answer, answer.length, MSG_DONTWAIT, null, null) < 16) return undefined;
    return new DataView(answer.buffer).getUint16(4, true) === (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN);
  } finally {
    syscall("close", socket);
  }
}

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const NETLINK_NETFILTER = 12;
const NFNL_SUBSYS_NFTABLES = 10;
const NFT_MSG_NEWGEN = 15;
const NFT_MSG_GETGEN = 16;
const NLM_F_REQUEST = 1;
const MSG_DONTWAIT = 0x40;
