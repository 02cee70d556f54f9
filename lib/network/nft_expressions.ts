/**
 * What rules of nf_tables are made of (linux/netfilter/nf_tables.h): values are loaded into registers, compared, looked
 * up, and at last it is said what becomes of the packet.
 *
 * Register 1 holds 16 bytes; 8 and those after it are its four parts, and those of the registers behind it.
 *
 * @module
 */
import { attribute, be32, concatenate, cText, nested, text, u32 } from "./message.ts";
import { type Expression, type NftSet, valueData, type Verdict, verdictData } from "./nftables.ts";
import { familyOf } from "./rtnetlink.ts";

/** A subnet of either family; its address has no bits behind the prefix. */
export interface Subnet {
  readonly address: Uint8Array;
  readonly prefix: number;
}

/** Holds where a packet comes from, or goes out by, the interface of that name. */
export function isInterface(direction: "iifname" | "oifname", name: string, not = false): Expression[] {
  const padded = new Uint8Array(16);
  padded.set(text(name));
  return [loadMeta(direction, 1), compare(not ? "neq" : "eq", padded)];
}

/** Holds where the source or destination lies in a subnet. */
export function isAddress(which: "saddr" | "daddr", { address, prefix }: Subnet, not = false): Expression[] {
  const offset = ADDRESS_OFFSETS[address.length === 4 ? 4 : 16][which];
  const operator = not ? "neq" : "eq";
  if (prefix % 8 === 0) {
    const size = prefix / 8;
    return [loadPayload("network", offset, size, 1), compare(operator, address.subarray(0, size))];
  }
  const mask = address.map((_, index) => 0xff << 8 - Math.max(0, Math.min(8, prefix - 8 * index)));
  return [loadPayload("network", offset, address.length, 1), maskRegister(mask), compare(operator, address)];
}

/** Holds for packets of a connection whose destination was changed. */
export function isTranslated(): Expression[] {
  const NFT_CT_STATUS = 2;
  const IPS_DST_NAT = 0x20;
  return [
    expression("ct", attribute(2, be32(NFT_CT_STATUS)), attribute(1, be32(1))),
    maskRegister(u32(IPS_DST_NAT)),
    compare("neq", u32(0)),
  ];
}

/** Holds where the destination is, or is not, one of the host's own addresses. */
export function isLocal(not = false): Expression[] {
  const NFTA_FIB_F_DADDR = 2;
  const NFT_FIB_RESULT_ADDRTYPE = 3;
  const RTN_LOCAL = 2;
  return [
    expression(
      "fib",
      attribute(3, be32(NFTA_FIB_F_DADDR)),
      attribute(2, be32(NFT_FIB_RESULT_ADDRTYPE)),
      attribute(1, be32(1)),
    ),
    compare(not ? "neq" : "eq", u32(RTN_LOCAL)),
  ];
}

/** Loads the destination address, of 4 or 16 bytes, at the beginning of what is looked up. */
export function loadDestination(size: 4 | 16): Expression {
  return loadPayload("network", ADDRESS_OFFSETS[size].daddr, size, 1);
}

/** Loads the protocol and the destination port behind what is there: from this one of the registers of four bytes. */
export function loadService(register: number): Expression[] {
  // Where one of 16 bytes begins the kernel counts it by that.
  const first = register % 4 === 0 ? register / 4 - 1 : register;
  return [loadMeta("l4proto", first), loadPayload("transport", 2, 2, register + 1)];
}

/** The first of the registers of four bytes, which is the beginning of register 1. */
export const FIRST_PART = 8;

/** Holds where register 1 begins with a key of the map, and puts its value there. */
export function lookUp({ name, id }: NftSet): Expression {
  return expression(
    "lookup",
    attribute(2, be32(1)),
    attribute(3, be32(1)),
    attribute(1, cText(name)),
    attribute(4, be32(id)),
  );
}

/** Holds where register 1 begins with a key of the set. */
export function isIn({ name, id }: NftSet): Expression {
  return expression("lookup", attribute(2, be32(1)), attribute(1, cText(name)), attribute(4, be32(id)));
}

/** Does with a packet what the value of a key of the map says. */
export function decideBy({ name, id }: NftSet): Expression {
  return expression(
    "lookup",
    attribute(2, be32(1)),
    attribute(3, be32(0)),
    attribute(1, cText(name)),
    attribute(4, be32(id)),
  );
}

/** A connection goes to the address at the beginning of register 1, of 4 or 16 bytes, and the port behind it. */
export function translateTo(size: 4 | 16): Expression {
  const NFT_NAT_DNAT = 1;
  return expression(
    "nat",
    attribute(1, be32(NFT_NAT_DNAT)),
    attribute(2, be32(familyOf(new Uint8Array(size)))),
    attribute(3, be32(1)),
    attribute(5, be32(size === 4 ? FIRST_PART + 1 : 2)),
  );
}

/** A connection goes out under the address of the interface by which it goes. */
export function masquerade(): Expression {
  return expression("masq");
}

/** What becomes of a packet for which all before holds. */
export function decide(verdict: Verdict): Expression {
  return expression("immediate", attribute(1, be32(0)), nested(2, verdictData(verdict)));
}

/** Where addresses stand in the headers of IPv4 and IPv6. */
const ADDRESS_OFFSETS = { 4: { saddr: 12, daddr: 16 }, 16: { saddr: 8, daddr: 24 } } as const;

const META = { iifname: 6, oifname: 7, l4proto: 16 } as const;
const BASES = { network: 1, transport: 2 } as const;

function loadMeta(key: keyof typeof META, register: number): Expression {
  return expression("meta", attribute(2, be32(META[key])), attribute(1, be32(register)));
}

function loadPayload(base: keyof typeof BASES, offset: number, size: number, register: number): Expression {
  return expression(
    "payload",
    attribute(1, be32(register)),
    attribute(2, be32(BASES[base])),
    attribute(3, be32(offset)),
    attribute(4, be32(size)),
  );
}

/** Compares what register 1 begins with. */
function compare(operator: "eq" | "neq", value: Uint8Array): Expression {
  return expression(
    "cmp",
    attribute(1, be32(1)),
    attribute(2, be32(operator === "eq" ? 0 : 1)),
    nested(3, valueData(value)),
  );
}

/** Register 1 with only the bits of a mask. */
function maskRegister(mask: Uint8Array): Expression {
  return expression(
    "bitwise",
    attribute(1, be32(1)),
    attribute(2, be32(1)),
    attribute(3, be32(mask.length)),
    nested(4, valueData(mask)),
    nested(5, valueData(new Uint8Array(mask.length))),
  );
}

/** `NFTA_LIST_ELEM` with `NFTA_EXPR_NAME` and `NFTA_EXPR_DATA`. */
function expression(name: string, ...attributes: readonly Uint8Array[]): Expression {
  return nested(1, attribute(1, cText(name)), nested(2, concatenate(attributes)));
}
