/**
 * Internet addresses: text, bytes, subnets, and which one is next.
 *
 * @module
 */
import { PaddockError } from "../base/errors.ts";

/** An address's bytes, four or sixteen; `undefined` where the text is none. */
export function parseAddress(text: string): Uint8Array | undefined {
  return text.includes(":") ? parseIPv6(text) : parseIPv4(text);
}

/** @throws PaddockError where the text is no address. */
export function readAddress(text: string): Uint8Array {
  const found = parseAddress(text);
  if (found === undefined) throw new PaddockError(`'${text}' is no IP address`);
  return found;
}

/** An address as text; that of IPv6 with its longest run of zeros left out (RFC 5952). */
export function formatAddress(address: Uint8Array): string {
  if (address.length === 4) return address.join(".");
  const groups = Array.from({ length: 8 }, (_, index) => address[2 * index]! << 8 | address[2 * index + 1]!);
  let [start, length] = [0, 1];
  for (let at = 0; at < 8; at++) {
    let end = at;
    while (end < 8 && groups[end] === 0) end++;
    if (end - at > length) [start, length] = [at, end - at];
  }
  const join = (part: readonly number[]) => part.map((group) => group.toString(16)).join(":");
  if (length < 2) return join(groups);
  return `${join(groups.slice(0, start))}::${join(groups.slice(start + length))}`;
}

/** Addresses that share their first bits; the address itself has no others. */
export interface Subnet {
  readonly address: Uint8Array;
  readonly prefix: number;
}

/** `10.83.0.0/16`. @throws PaddockError where it is none, or has bits behind the prefix. */
export function parseSubnet(text: string): Subnet {
  const [before = "", after = "", extra] = text.split("/");
  const address = parseAddress(before);
  const prefix = /^\d{1,3}$/.test(after) ? Number(after) : NaN;
  if (address === undefined || extra !== undefined || !(prefix <= 8 * address.length)) {
    throw new PaddockError(`'${text}' is no subnet`, { hint: "as in 10.20.0.0/24 or fd12:3456:789a::/64" });
  }
  const masked = maskAddress(address, prefix);
  if (!isSame(masked, address)) {
    throw new PaddockError(`'${text}' has bits behind its prefix`, {
      hint: `did you mean ${formatAddress(masked)}/${prefix}?`,
    });
  }
  return { address, prefix };
}

export function formatSubnet({ address, prefix }: Subnet): string {
  return `${formatAddress(address)}/${prefix}`;
}

/** The first bits of an address. */
export function maskAddress(address: Uint8Array, prefix: number): Uint8Array {
  return address.map((byte, index) => byte & (0xff << 8 - Math.max(0, Math.min(8, prefix - 8 * index))));
}

export function isInSubnet(address: Uint8Array, subnet: Subnet): boolean {
  return address.length === subnet.address.length && isSame(maskAddress(address, subnet.prefix), subnet.address);
}

/** True where an address can be in both. */
export function overlaps(a: Subnet, b: Subnet): boolean {
  const wider = a.prefix < b.prefix ? a : b;
  return isInSubnet(wider === a ? b.address : a.address, wider);
}

/** The address so many behind the subnet's own. */
export function addressAt({ address }: Subnet, offset: number): Uint8Array {
  const bytes = address.slice();
  let rest = offset;
  for (let index = bytes.length - 1; index >= 0 && rest > 0; index--) {
    rest += bytes[index]!;
    bytes[index] = rest & 255;
    rest = Math.floor(rest / 256);
  }
  return bytes;
}

/** How far an address is behind the subnet's own; 32 bits of it count. */
export function offsetIn({ address: base }: Subnet, address: Uint8Array): number {
  const low = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(bytes.length - 4);
  return (low(address) - low(base)) >>> 0;
}

/**
 * The next free address behind one that was given out last, round the subnet: not the subnet's own, and of IPv4 not the
 * last, which is for all.
 *
 * @param last an offset; 0 where none was given out.
 * @returns `undefined` where all are taken.
 */
export function nextAddress(
  subnet: Subnet,
  last: number,
  isTaken: (address: Uint8Array) => boolean,
): Uint8Array | undefined {
  const bits = 8 * subnet.address.length - subnet.prefix;
  const count = bits > 31 ? 2 ** 31 : 2 ** bits;
  const end = subnet.address.length === 4 ? count - 1 : count;
  for (let step = 1; step < end; step++) {
    const offset = (last + step - 1) % (end - 1) + 1;
    const address = addressAt(subnet, offset);
    if (!isTaken(address)) return address;
  }
  return undefined;
}

/** A locally administered MAC address for an IPv4 address: who gets that again has the same neighbours' caches. */
export function macOf(address: Uint8Array): Uint8Array {
  return Uint8Array.of(0x02, 0x50, ...address.subarray(-4));
}

export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** @throws PaddockError where the text is none, or one of many receivers. */
export function parseMac(text: string): Uint8Array {
  const parts = text.split(/[:-]/);
  const bytes = parts.map((part) => /^[0-9a-f]{1,2}$/i.test(part) ? parseInt(part, 16) : NaN);
  if (parts.length !== 6 || bytes.some(Number.isNaN)) throw new PaddockError(`'${text}' is no MAC address`);
  if ((bytes[0]! & 1) !== 0) throw new PaddockError(`'${text}' is the address of a group, and not of one interface`);
  return Uint8Array.from(bytes);
}

/** `struct sockaddr_in` or `sockaddr_in6` (`man 7 ip`, `man 7 ipv6`); the first two bytes are the family. */
export function socketAddress(address: Uint8Array, port: number): Uint8Array {
  const [AF_INET, AF_INET6] = [2, 10];
  const isFour = address.length === 4;
  const bytes = new Uint8Array(isFour ? 16 : 28);
  bytes.set([isFour ? AF_INET : AF_INET6, 0, port >> 8, port & 255]);
  bytes.set(address, isFour ? 4 : 8);
  return bytes;
}

export function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

function parseIPv4(text: string): Uint8Array | undefined {
  const parts = text.split(".");
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)) {
    return undefined;
  }
  return Uint8Array.from(parts.map(Number));
}

function parseIPv6(text: string): Uint8Array | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const [head, tail] = halves.map((half) => half === "" ? [] : half.split(":"));
  const groups = readGroups(head ?? []);
  const last = tail === undefined ? [] : readGroups(tail);
  if (groups === undefined || last === undefined) return undefined;
  const missing = 8 - groups.length - last.length;
  if (tail === undefined ? missing !== 0 : missing < 1) return undefined;
  const all = [...groups, ...new Array<number>(missing).fill(0), ...last];
  return Uint8Array.from(all.flatMap((group) => [group >> 8, group & 255]));
}

/** Groups of 16 bits, of which the last two may be written as an IPv4 address. */
function readGroups(parts: readonly string[]): number[] | undefined {
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    const inner = index === parts.length - 1 && part.includes(".") ? parseIPv4(part) : undefined;
    if (inner !== undefined) groups.push(inner[0]! << 8 | inner[1]!, inner[2]! << 8 | inner[3]!);
    else if (/^[0-9a-f]{1,4}$/i.test(part)) groups.push(parseInt(part, 16));
    else return undefined;
  }
  return groups;
}
